package grpc

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

// hang bounds one case; it is ten times what the longest takes.
const hang = 30 * time.Second

// cases are those of the interoperability suite that need no account of a cloud.
var cases = []string{
	"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
	"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
	"status_code_and_message", "special_status_message", "custom_metadata",
	"unimplemented_method", "unimplemented_service",
}

// ways are how a client connects; suite is the name on the page of scores.
var ways = []struct {
	suite  string
	host   string
	secure bool
}{
	{"gRPC interop over TLS", "10:8441", true},
	{"gRPC interop in plain text", "10:8001", false},
}

// TestInterop proves that gRPC's own client and server understand each other
// through Portico: calls, streams both ways, deadlines, cancellation, statuses and
// metadata.
func TestInterop(t *testing.T) {
	bed.Suite(t)
	i := newInterop(t)
	i.bed.Portico(i.write("testdata/portico.yaml"), i.bed.Addr("10:8001"), "--admin", "off")
	bed.NeedHTTP2(t, i.bed.Addr("10:8001"))
	for _, w := range ways {
		passed := i.play(t, w.host, w.secure, t.Errorf)
		bed.Publish(t, bed.Score{Suite: w.suite, Portico: passed})
	}
}

// TestPeersInterop plays the cases through nginx and HAProxy.
func TestPeersInterop(t *testing.T) {
	bed.Suite(t)
	var scores [2]bed.Score
	for _, peer := range []struct {
		start func(*interop)
		cell  func(*bed.Score) *string
	}{
		{func(i *interop) { i.bed.NGINX(i.write("testdata/nginx.conf"), i.bed.Addr("10:8001")) }, func(s *bed.Score) *string { return &s.NGINX }},
		{func(i *interop) { i.bed.HAProxy(i.write("testdata/haproxy.cfg"), i.bed.Addr("10:8001")) }, func(s *bed.Score) *string { return &s.HAProxy }},
	} {
		i := newInterop(t)
		peer.start(i)
		for n, w := range ways {
			scores[n].Suite = w.suite
			*peer.cell(&scores[n]) = i.play(t, w.host, w.secure, t.Logf)
		}
	}
	for _, s := range scores {
		bed.Publish(t, s)
	}
}

// interop is a bed with a server of gRPC.
type interop struct {
	bed    *bed.Bed
	port   string // of the server
	client string // the program
	ca     string // file of the authority
}

func newInterop(t *testing.T) *interop {
	t.Helper()
	b := bed.New(t)
	i := &interop{bed: b, client: b.Program("google.golang.org/grpc/interop/client")}
	server := b.Program("google.golang.org/grpc/interop/server")
	i.ca = b.Keys("grpc.example")
	i.port = freePort(t)
	b.Start("interop server", b.Addr("51:"+i.port), server, "-port", i.port)
	return i
}

// freePort is a port that was free on every address a moment ago: the server
// listens on all of them.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// write puts a configuration into the bed.
func (i *interop) write(from string) string { return i.bed.Write(from, "$PORT", i.port) }

// play runs every case, says which failed, and counts.
func (i *interop) play(t *testing.T, host string, secure bool, say func(string, ...any)) string {
	t.Helper()
	address, port, err := net.SplitHostPort(i.bed.Addr(host))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-server_host", address, "-server_port", port}
	if secure {
		args = append(args, "-use_tls", "-use_test_ca", "-ca_file", i.ca, "-server_host_override", "grpc.example")
	}
	good := 0
	for _, name := range cases {
		ctx, cancel := context.WithTimeout(t.Context(), hang)
		out, err := exec.CommandContext(ctx, i.client, append(args, "-test_case", name)...).CombinedOutput()
		cancel()
		if err != nil {
			say("%s: %v: %s", name, err, strings.TrimSpace(string(out)))
			continue
		}
		good++
	}
	return fmt.Sprintf("%d/%d", good, len(cases))
}
