package engine_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/l7/exchange"
	"portico/l7/loop"
	"portico/l7/transport"
)

// turnsDialer connects each of its calls to something else.
type turnsDialer struct {
	netx.Dialer
	calls atomic.Int32
	to    func(call int32) (netip.AddrPort, error)
}

func (d *turnsDialer) Connect(_ netip.AddrPort, o netx.Options) (int, error) {
	to, err := d.to(d.calls.Add(1))
	if err != nil {
		return -1, err
	}
	return d.Dialer.Connect(to, o)
}

// TestHeirCannotConnect proves that requests which wait for a connection to a target get
// one although the request that made it was given up, and the next that tried could not.
func TestHeirCannotConnect(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	s := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	d := &turnsDialer{to: func(call int32) (netip.AddrPort, error) {
		switch call {
		case 1:
			return netx.AddrPort(silent.Addr()), nil
		case 2:
			return netip.AddrPort{}, unix.ENETUNREACH
		}
		return netx.AddrPort(s.Listener.Addr()), nil
	}}
	var begun atomic.Int32
	p := newProxy(t, func(p *proxy, o *loop.Options) {
		o.Dialer, p.timeouts.Connect = d, 0
		p.begin = func(*exchange.Decision) { begun.Add(1) }
	})
	p.to(s.Listener.Addr())
	p.via.Store(transport.New(transport.Options{Protocol: transport.Auto, TLS: &tls.Config{InsecureSkipVerify: true}}))
	var clients []net.Conn
	for i := range int32(3) {
		c := p.dial()
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		eventually(t, "the request begins", func() bool { return begun.Load() == i+1 })
		clients = append(clients, c)
	}
	_ = clients[0].(*net.TCPConn).SetLinger(0)
	_ = clients[0].Close()
	for _, c := range clients[1:] {
		if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
