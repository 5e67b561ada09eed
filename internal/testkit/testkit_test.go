package testkit_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/internal/testkit"
)

// fake is a testing.TB whose failures and cleanups a test can look at.
type fake struct {
	testing.TB
	failed   []string
	cleanups []func()
}

func (f *fake) Helper()                      {}
func (f *fake) Cleanup(fn func())            { f.cleanups = append(f.cleanups, fn) }
func (f *fake) Error(args ...any)            { f.failed = append(f.failed, fmt.Sprint(args...)) }
func (f *fake) Errorf(s string, args ...any) { f.failed = append(f.failed, fmt.Sprintf(s, args...)) }

func (f *fake) Fatalf(s string, args ...any) {
	f.Errorf(s, args...)
	panic(f)
}

// TestPoll proves that Poll waits for success, and fails with the last reason.
func TestPoll(t *testing.T) {
	calls := 0
	testkit.Poll(t, 10*time.Second, func() error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if calls != 3 {
		t.Errorf("calls = %d, want 3", calls)
	}
	f := &fake{TB: t}
	func() {
		defer func() { _ = recover() }()
		testkit.Poll(f, 20*time.Millisecond, func() error { return errors.New("never") })
	}()
	if len(f.failed) != 1 || !strings.Contains(f.failed[0], "never") {
		t.Errorf("failures = %q, want one that says never", f.failed)
	}
}

// TestFree proves that a free address can be listened on, TCP and UDP.
func TestFree(t *testing.T) {
	addr := testkit.Free(t, "127.0.0.9")
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	u, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = u.Close()
}

// TestNetwork proves that a network is had by one at a time: of so many, two would be
// alike in every other run if they were drawn alone.
func TestNetwork(t *testing.T) {
	seen := map[string]bool{}
	for range 300 {
		network, release := testkit.Network()
		t.Cleanup(release)
		if seen[network] {
			t.Fatalf("%s is given twice", network)
		}
		seen[network] = true
	}
}

// TestNoLeaks proves that a goroutine or a file left behind fails a test, and
// that a clean test passes.
func TestNoLeaks(t *testing.T) {
	end := func(during func()) []string {
		f := &fake{TB: t}
		testkit.NoLeaks(f)
		during()
		for _, c := range f.cleanups {
			c()
		}
		return f.failed
	}
	if failed := end(func() {}); len(failed) > 0 {
		t.Errorf("clean test failed: %q", failed)
	}
	if testing.Short() {
		t.Skip("waiting for leaks takes 2 s each")
	}
	stop := make(chan struct{})
	if failed := end(func() { go func() { <-stop }() }); len(failed) != 1 {
		t.Errorf("a goroutine left behind: failures = %q, want one", failed)
	}
	close(stop)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if failed := end(func() { file, _ = os.Open(os.DevNull) }); len(failed) != 1 {
		t.Errorf("a file left open: failures = %q, want one", failed)
	}
	_ = file.Close()
}

// TestOrigin proves that every fault looks to a client like what it is called,
// over TLS with a certificate of the test's authority.
func TestOrigin(t *testing.T) {
	testkit.NoLeaks(t)
	ca := testkit.NewCA(t)
	cert, err := tls.LoadX509KeyPair(ca.IssueFiles(t, "127.0.0.1", "shop.example.com"))
	if err != nil {
		t.Fatal(err)
	}
	o := testkit.NewOrigin(t, "shop-1", &tls.Config{Certificates: []tls.Certificate{cert}})
	client := &http.Client{
		Timeout:   time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}, DisableKeepAlives: true},
	}
	tests := []struct {
		name  string
		fault testkit.Fault
		want  func(*http.Response, string, error) bool
	}{
		{"healthy", testkit.Healthy, func(r *http.Response, body string, err error) bool {
			return err == nil && r.StatusCode == 200 && r.Header.Get("X-Served-By") == "shop-1" && body == "shop-1 GET /a\n"
		}},
		{"failing", testkit.Failing, func(r *http.Response, _ string, err error) bool { return err == nil && r.StatusCode == 500 }},
		{"missing", testkit.Missing, func(r *http.Response, _ string, err error) bool { return err == nil && r.StatusCode == 404 }},
		{"hanging", testkit.Hanging, func(_ *http.Response, _ string, err error) bool { return os.IsTimeout(err) }},
		{"resets", testkit.Resets, func(_ *http.Response, _ string, err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{"closes", testkit.Closes, func(_ *http.Response, _ string, err error) bool { return errors.Is(err, io.EOF) }},
		{"short", testkit.Short, func(_ *http.Response, _ string, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o.Set(tt.fault)
			resp, err := client.Get("https://" + o.Addr.String() + "/a")
			var body []byte
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if !tt.want(resp, string(body), err) {
				t.Errorf("got %v, %q, %v", resp, body, err)
			}
		})
	}
	if got := o.Requests(); got < int64(len(tests)) {
		t.Errorf("Requests = %d, want at least %d", got, len(tests))
	}
}

// TestCA proves that a certificate is good for its names and for nobody else's.
func TestCA(t *testing.T) {
	ca, other := testkit.NewCA(t), testkit.NewCA(t)
	leaf := ca.Issue(t, "*.example.com", "127.0.0.1").Leaf
	for _, name := range []string{"shop.example.com", "127.0.0.1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := leaf.VerifyHostname("example.org"); err == nil {
		t.Error("good for example.org, want an error")
	}
	if err := leaf.CheckSignatureFrom(other.Issue(t, "x").Leaf); err == nil {
		t.Error("signed by another, want an error")
	}
	if text, err := os.ReadFile(ca.File(t)); err != nil || !strings.HasPrefix(string(text), "-----BEGIN CERTIFICATE") {
		t.Errorf("File = %q, %v", text, err)
	}
}
