package testkit

import (
	"crypto/tls"
	"fmt"
	"io"
	"log" //nolint:depguard // net/http takes no other
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"portico/internal/netx"
)

// Fault is what an Origin does instead of answering.
type Fault int32

// The faults.
const (
	Healthy Fault = iota // it answers
	Failing              // 500
	Missing              // 404
	Hanging              // nothing, until the client goes away or the test ends
	Resets               // the connection is reset
	Closes               // the connection ends before a head
	Short                // the body ends before its Content-Length
)

// Origin is a web server that says who it is: its name in X-Served-By and, with
// the method and path, in the body. Its methods may be called while it serves.
type Origin struct {
	Name string
	Addr netip.AddrPort

	server   *httptest.Server
	fault    atomic.Int32
	requests atomic.Int64
	ended    chan struct{}
}

// NewOrigin starts an origin on a free port of 127.0.0.1, with TLS where there is
// a configuration for it. It ends with the test.
func NewOrigin(tb testing.TB, name string, secure *tls.Config) *Origin {
	tb.Helper()
	return NewOriginAt(tb, name, netip.MustParseAddrPort("127.0.0.1:0"), secure)
}

// NewOriginAt is NewOrigin on a given address; port 0 means a free one.
func NewOriginAt(tb testing.TB, name string, at netip.AddrPort, secure *tls.Config) *Origin {
	tb.Helper()
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		tb.Fatalf("origin %s: %v", name, err)
	}
	o := &Origin{Name: name, ended: make(chan struct{})}
	o.server = httptest.NewUnstartedServer(http.HandlerFunc(o.serve))
	_ = o.server.Listener.Close()
	o.server.Listener = l
	o.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.server.TLS = secure
	if secure == nil {
		o.server.Start()
	} else {
		o.server.StartTLS()
	}
	o.Addr = netip.MustParseAddrPort(o.server.Listener.Addr().String())
	tb.Cleanup(func() {
		close(o.ended)
		o.server.CloseClientConnections()
		o.server.Close()
	})
	return o
}

// Set makes every request from now on meet the fault.
func (o *Origin) Set(f Fault) { o.fault.Store(int32(f)) }

// Requests counts the requests that arrived, failed ones too.
func (o *Origin) Requests() int64 { return o.requests.Load() }

func (o *Origin) serve(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	w.Header().Set("X-Served-By", o.Name)
	switch Fault(o.fault.Load()) {
	case Healthy:
		_, _ = fmt.Fprintf(w, "%s %s %s\n", o.Name, r.Method, r.URL.Path)
	case Failing:
		http.Error(w, "fault", http.StatusInternalServerError)
	case Missing:
		http.Error(w, "fault", http.StatusNotFound)
	case Hanging:
		select {
		case <-r.Context().Done():
		case <-o.ended:
		}
		panic(http.ErrAbortHandler) // or an empty answer may reach a client that is about to go
	case Resets:
		o.hangUp(w, true)
	case Closes:
		o.hangUp(w, false)
	case Short:
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "short")
	}
}

func (o *Origin) hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if reset {
		netx.Reset(conn)
		return
	}
	_ = conn.Close()
}
