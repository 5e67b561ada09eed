package load_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/load"
	"portico/internal/testkit"
)

// run is a Run that must work.
func run(t *testing.T, o load.Options) load.Report {
	t.Helper()
	r, err := load.Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// count is how many requests of a report were of a kind.
func count(r load.Report, k load.Kind) uint64 {
	if k == load.OK {
		return r.OK
	}
	for _, f := range r.Failures {
		if f.Kind == k {
			return f.Count
		}
	}
	return 0
}

// TestKinds proves that every way to fail is counted by its own name.
func TestKinds(t *testing.T) {
	ca := testkit.NewCA(t)
	secure := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1")}}
	other := &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "elsewhere.example.com")}}
	tests := []struct {
		name   string
		fault  testkit.Fault
		secure *tls.Config
		edit   func(*load.Options)
		want   load.Kind
	}{
		{"healthy", testkit.Healthy, nil, nil, load.OK},
		{"https", testkit.Healthy, secure, func(o *load.Options) { o.CA = ca.Pool() }, load.OK},
		{"https on trust", testkit.Healthy, secure, func(o *load.Options) { o.Insecure = true }, load.OK},
		{"https from a stranger", testkit.Healthy, secure, nil, load.TLS},
		{"https with another name", testkit.Healthy, other, func(o *load.Options) { o.CA = ca.Pool() }, load.TLS},
		{"https to http", testkit.Healthy, nil, func(o *load.Options) { o.URL = strings.Replace(o.URL, "http:", "https:", 1) }, load.TLS},
		{"500", testkit.Failing, nil, nil, load.Status5xx},
		{"404", testkit.Missing, nil, nil, load.Status4xx},
		{"hanging", testkit.Hanging, nil, nil, load.Timeout},
		{"reset", testkit.Resets, nil, nil, load.Reset},
		{"reset, https", testkit.Resets, secure, func(o *load.Options) { o.CA = ca.Pool() }, load.Reset},
		{"closed", testkit.Closes, nil, nil, load.EOF},
		{"short body", testkit.Short, nil, nil, load.ShortBody},
		{"nobody listens", testkit.Healthy, nil, func(o *load.Options) { o.URL = "http://" + testkit.Free(t, "127.0.0.1").String() }, load.ConnectRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			origin := testkit.NewOrigin(t, "shop-1", tt.secure)
			origin.Set(tt.fault)
			scheme := "http"
			if tt.secure != nil {
				scheme = "https"
			}
			o := load.Options{URL: scheme + "://" + origin.Addr.String() + "/a", Rate: 50, For: 100 * time.Millisecond, Timeout: 300 * time.Millisecond}
			if tt.fault != testkit.Hanging {
				o.Timeout = 20 * time.Second
			}
			if tt.edit != nil {
				tt.edit(&o)
			}
			r := run(t, o)
			if got := count(r, tt.want); got != 5 || r.OK+r.Failed != 5 {
				t.Errorf("%s = %d of %d, want all 5: %+v", tt.want, got, r.OK+r.Failed, r)
			}
		})
	}
}

// TestFailureMoments proves that a report says to the millisecond when failures were due,
// and not later than they were: it is compared with when something broke.
func TestFailureMoments(t *testing.T) {
	testkit.NoLeaks(t)
	origin := testkit.NewOrigin(t, "shop-1", nil)
	origin.Set(testkit.Failing)
	r := run(t, load.Options{URL: "http://" + origin.Addr.String(), Rate: 40, For: 100 * time.Millisecond, Timeout: 20 * time.Second})
	if len(r.Failures) != 1 || r.Failures[0].First != 0 || r.Failures[0].Last != 0.075 {
		t.Errorf("failures = %+v, want those due every 25ms from 0 to 0.075s", r.Failures)
	}
}

// TestRate proves that as many requests are made as the rate and the time say,
// that they are counted by address and server, and that connections are kept.
func TestRate(t *testing.T) {
	testkit.NoLeaks(t)
	origin := testkit.NewOrigin(t, "shop-1", nil)
	r := run(t, load.Options{URL: "http://" + origin.Addr.String(), Rate: 500, For: time.Second, Connections: 50, Clients: 10})
	if r.Due != 500 || r.OK != 500 || r.Failed != 0 || origin.Requests() != 500 {
		t.Errorf("due %d, ok %d, failed %d, seen %d, want 500, 500, 0, 500", r.Due, r.OK, r.Failed, origin.Requests())
	}
	if r.Opened > 250 { // with time to spare it is a few for each client
		t.Errorf("opened %d connections for 500 requests, want most of them kept", r.Opened)
	}
	if len(r.Addresses) != 1 || r.Addresses[0] != (load.Address{Address: "127.0.0.1", Requests: 500}) {
		t.Errorf("addresses = %+v", r.Addresses)
	}
	if len(r.Servers) != 1 || r.Servers[0] != (load.Server{Name: "shop-1", Requests: 500}) {
		t.Errorf("servers = %+v", r.Servers)
	}
	if r.Seconds < 0.9 || r.Latency.P50 <= 0 || r.Latency.P50 > r.Latency.Max || r.Bytes == 0 {
		t.Errorf("report = %+v", r)
	}
}

// TestKeptTLS proves that connections are kept over TLS too: what a server sends
// for later sessions is not taken for an answer nobody asked for.
func TestKeptTLS(t *testing.T) {
	testkit.NoLeaks(t)
	ca := testkit.NewCA(t)
	origin := testkit.NewOrigin(t, "shop-1", &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, "127.0.0.1")}})
	r := run(t, load.Options{URL: "https://" + origin.Addr.String(), Rate: 100, For: 300 * time.Millisecond, Clients: 1, Connections: 1, CA: ca.Pool()})
	if r.OK != 30 || r.Opened != 1 || r.Retried != 0 {
		t.Errorf("ok = %d, opened = %d, retried = %d, want 30, 1, 0", r.OK, r.Opened, r.Retried)
	}
}

// slow serves one request at a time, each taking a while.
func slow(t *testing.T, each time.Duration) string {
	t.Helper()
	var one sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		one.Lock()
		defer one.Unlock()
		time.Sleep(each)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestOpenLoop proves that a server that is too slow shows in the latency: each
// request is measured from when it was due, not from when it got its turn.
func TestOpenLoop(t *testing.T) {
	testkit.NoLeaks(t)
	r := run(t, load.Options{URL: slow(t, 20*time.Millisecond), Rate: 200, For: 500 * time.Millisecond, Connections: 1})
	if r.OK != 100 {
		t.Fatalf("report = %+v, want 100 good requests", r)
	}
	// The last is due after 0.5 s and served after 2 s.
	if r.Latency.Max < 1400 || r.Latency.P50 < 600 {
		t.Errorf("latency = %+v, want a maximum above 1400 ms, a median above 600 ms", r.Latency)
	}
}

// TestNotSent proves that requests whose turn comes too late are counted as
// failed, not forgotten.
func TestNotSent(t *testing.T) {
	testkit.NoLeaks(t)
	r := run(t, load.Options{
		URL: slow(t, 50*time.Millisecond), Rate: 200, For: 500 * time.Millisecond, Connections: 1, Timeout: 200 * time.Millisecond,
	})
	if r.Due != 100 || r.OK+r.Failed != 100 || count(r, load.NotSent) < 50 || r.OK == 0 {
		t.Errorf("report = %+v, want 100 requests, most of them not sent", r)
	}
}

// TestCancel proves that a run ends when its context does, reports what was done,
// and counts what was under way as neither good nor failed.
func TestCancel(t *testing.T) {
	testkit.NoLeaks(t)
	origin := testkit.NewOrigin(t, "shop-1", nil)
	origin.Set(testkit.Hanging)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var r load.Report
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = load.Run(ctx, load.Options{URL: "http://" + origin.Addr.String(), Rate: 100, For: time.Hour, Timeout: time.Hour}, nil)
	}()
	testkit.Poll(t, 10*time.Second, func() error {
		if n := origin.Requests(); n < 5 {
			return fmt.Errorf("%d requests arrived, want 5", n)
		}
		return nil
	})
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on after its context ended")
	}
	if err != nil || r.Aborted < 5 || r.Failed != 0 || r.OK != 0 {
		t.Errorf("Run = %+v, %v, want 5 or more aborted and nothing else", r, err)
	}
}

// TestNewConnections proves that the share of requests on connections of their
// own is kept, and that those connections are closed.
func TestNewConnections(t *testing.T) {
	testkit.NoLeaks(t)
	origin := testkit.NewOrigin(t, "shop-1", nil)
	r := run(t, load.Options{URL: "http://" + origin.Addr.String(), Rate: 100, For: time.Second, Clients: 1, Connections: 1, NewConnections: 0.5})
	if r.OK != 100 || r.Opened != 51 {
		t.Errorf("ok = %d, opened = %d, want 100 and 51: one kept, 50 of their own", r.OK, r.Opened)
	}
}

// rude answers requests on each connection as told, without a word of what it
// will do next.
func rude(t *testing.T, serve func(conn net.Conn, r *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return "http://" + l.Addr().String()
}

const plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestKeptConnections proves what becomes of a request whose kept connection the
// server closed: where that shows before it is sent, nothing; where it was sent
// already, it is sent once more and counted as retried; once a byte of the answer
// came, it has failed.
func TestKeptConnections(t *testing.T) {
	next := func(r *bufio.Reader) bool {
		_, err := http.ReadRequest(r)
		return err == nil
	}
	tests := []struct {
		name    string
		serve   func(conn net.Conn, r *bufio.Reader)
		ok      uint64
		retried uint64
		want    load.Kind
	}{
		{"closed while idle", func(conn net.Conn, r *bufio.Reader) {
			if next(r) {
				_, _ = io.WriteString(conn, plain)
			}
		}, 10, 0, load.OK},
		{"closed on the next request", func(conn net.Conn, r *bufio.Reader) {
			if next(r) {
				_, _ = io.WriteString(conn, plain)
				next(r)
			}
		}, 10, 9, load.OK},
		{"closed within the next answer", func(conn net.Conn, r *bufio.Reader) {
			if next(r) {
				_, _ = io.WriteString(conn, plain)
				if next(r) {
					_, _ = io.WriteString(conn, "HTTP/1.1 2")
				}
			}
		}, 5, 0, load.EOF},
		{"garbage", func(conn net.Conn, r *bufio.Reader) {
			if next(r) {
				_, _ = io.WriteString(conn, "SSH-2.0-x\r\n\r\n")
			}
		}, 0, 0, load.Other},
		{"interim answers first", func(conn net.Conn, r *bufio.Reader) {
			for next(r) {
				_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"+plain)
			}
		}, 10, 0, load.OK},
		{"more than was asked for", func(conn net.Conn, r *bufio.Reader) {
			for next(r) {
				_, _ = io.WriteString(conn, plain+plain)
			}
		}, 10, 0, load.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r := run(t, load.Options{URL: rude(t, tt.serve), Rate: 40, For: 250 * time.Millisecond, Clients: 1, Connections: 1})
			if r.OK != tt.ok || r.Failed != 10-tt.ok || r.Retried != tt.retried || count(r, tt.want) == 0 {
				t.Errorf("report = %+v, want %d good, %d retried", r, tt.ok, tt.retried)
			}
		})
	}
}

// TestSources proves that every client connects and asks from an address of its
// own.
func TestSources(t *testing.T) {
	testkit.NoLeaks(t)
	var seen sync.Map
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen.Store(netip.MustParseAddrPort(r.RemoteAddr).Addr(), true)
	}))
	defer s.Close()
	dns := newDNS(t, v4(60, "127.0.0.1"))
	network := netip.MustParsePrefix("127.0.3.0/24")
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	r := run(t, load.Options{
		URL: fmt.Sprintf("http://myapp.example.com:%d/", at.Port()), DNS: []netip.AddrPort{dns.addr},
		Rate: 400, For: 500 * time.Millisecond, Sources: network, Clients: 20,
	})
	sources := 0
	for a := range seen.Range {
		sources++
		if !network.Contains(a.(netip.Addr)) {
			t.Errorf("a request came from %v", a)
		}
	}
	if r.OK != 200 || sources != 20 {
		t.Errorf("%d good requests from %d sources, want 200 from 20: %+v", r.OK, sources, r)
	}
	if from := dns.from.Load().(netip.Addr); !network.Contains(from) || r.DNS.Lookups != 20 {
		t.Errorf("the last query came from %v, %d lookups, want 20 from %v", from, r.DNS.Lookups, network)
	}
}

// TestCookies proves that each client keeps its cookies, sends them back, and
// forgets those that are taken back; and that without the option none is kept.
func TestCookies(t *testing.T) {
	var given, returned atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k, err := r.Cookie("PORTICO"); err == nil && strings.HasPrefix(k.Value, "a.b") {
			returned.Add(1)
		} else {
			given.Add(1)
			http.SetCookie(w, &http.Cookie{Name: "PORTICO", Value: "a.b=="})
		}
		if _, err := r.Cookie("gone"); err == nil {
			t.Error("a cookie that was taken back came")
		}
		http.SetCookie(w, &http.Cookie{Name: "gone", Value: "1", MaxAge: -1})
	}))
	defer s.Close()
	o := load.Options{URL: s.URL, Rate: 60, For: 500 * time.Millisecond, Clients: 3, Connections: 1, Cookies: true}
	run(t, o)
	if given.Load() != 3 || returned.Load() != 27 {
		t.Errorf("cookies given to %d, returned %d times, want 3 and 27", given.Load(), returned.Load())
	}
	o.Cookies = false
	run(t, o)
	if given.Load() != 33 {
		t.Errorf("without cookies, %d requests were new, want 30", given.Load()-3)
	}
}

// TestProgress proves that snapshots come one after the other, count what was
// done so far, and that the last one agrees with the report.
func TestProgress(t *testing.T) {
	testkit.NoLeaks(t)
	origin := testkit.NewOrigin(t, "shop-1", nil)
	var calls []load.Snapshot
	var busy atomic.Bool
	r, err := load.Run(t.Context(), load.Options{URL: "http://" + origin.Addr.String(), Rate: 100, For: 1300 * time.Millisecond},
		func(s load.Snapshot) {
			if !busy.CompareAndSwap(false, true) {
				t.Error("two calls overlap")
			}
			calls = append(calls, s)
			busy.Store(false)
		})
	if err != nil || len(calls) < 2 {
		t.Fatalf("Run: %v, %d snapshots, want 2 or more", err, len(calls))
	}
	for i, s := range calls[1:] {
		if s.OK < calls[i].OK || s.Elapsed <= calls[i].Elapsed {
			t.Errorf("snapshot %+v after %+v", s, calls[i])
		}
	}
	last := calls[len(calls)-1]
	if last.OK != r.OK || r.OK != 130 || last.Underway != 0 || calls[0].Rate < 10 {
		t.Errorf("first snapshot %+v, last %+v, report %+v", calls[0], last, r)
	}
}
