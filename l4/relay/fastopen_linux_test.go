package relay_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/internal/testkit/netns"
	"portico/l4/relay"
	"portico/spec"
)

// inside dials from a namespace.
type inside struct {
	netx.Dialer
	space *netns.Space
}

func (d inside) Connect(to netip.AddrPort, o netx.Options) (fd int, err error) {
	d.space.Run(func() { fd, err = d.Dialer.Connect(to, o) })
	return fd, err
}

// opening is a relay in front of a target of another namespace that takes bytes with a
// SYN, and answers with what it got.
type opening struct {
	*bed
	near, far *netns.Space
	vip       netip.AddrPort
}

func newOpening(t *testing.T, change func(*spec.Spec)) *opening {
	t.Helper()
	n := netns.New(t)
	o := &opening{near: n.Add("near"), far: n.Add("far"), vip: free(t, "127.0.0.1")}
	n.Veth(o.near, "eth0", []string{"10.79.0.1/24"}, o.far, "eth0", []string{"10.79.0.2/24"})
	o.near.Sysctl("net/ipv4/tcp_fastopen", "1")
	o.far.Sysctl("net/ipv4/tcp_fastopen", "2")
	target := netip.MustParseAddrPort("10.79.0.2:9")
	var lists []*net.TCPListener
	var err error
	o.far.Run(func() { lists, err = netx.ListenMany(context.Background(), target, 1, netx.Options{FastOpen: true}) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lists[0].Close() })
	go func() {
		for {
			c, err := lists[0].Accept()
			if err != nil {
				return
			}
			go func() {
				all, _ := io.ReadAll(c)
				_, _ = c.Write(append([]byte("got "), all...))
				_ = c.Close()
			}()
		}
	}()
	want := tcpSpec(o.vip, target)
	want.TargetGroups[0].TCP.FastOpen = true
	change(want)
	o.bed = start(t, want, func(r *relay.Options) { r.Dialer = inside{space: o.near} })
	return o
}

// silence keeps the target from answering until the function is called.
func (o *opening) silence() func() {
	o.far.IP("route add blackhole 10.79.0.1")
	return func() { o.far.IP("route del blackhole 10.79.0.1") }
}

// A client that ends before the target has answered the SYN which its bytes travel with
// is served as any other.
func TestEndBeforeFastOpen(t *testing.T) {
	o := newOpening(t, func(*spec.Spec) {})
	first := dial(t, o.vip) // has the kernel learn the cookie that bytes in a SYN need
	say(t, first, "one")
	_ = first.CloseWrite()
	wantText(t, first, "got one")

	answers := o.silence()
	second := dial(t, o.vip)
	say(t, second, "two")
	_ = second.CloseWrite()
	eventually(t, "the SYN waits for an answer", func() bool {
		var table []byte
		o.near.Run(func() { table, _ = os.ReadFile("/proc/thread-self/net/tcp") })
		return bytes.Contains(table, []byte(" 02004F0A:0009 02 "))
	})
	answers()
	wantText(t, second, "got two")

	third := dial(t, o.vip)
	eventually(t, "the third is connected, as far as one that has sent nothing is", func() bool { return o.metric("portico_l4_flows_active", "db") == 1 })
	o.near.IP("tcp_metrics flush") // its bytes go with no SYN after all
	say(t, third, "three")
	_ = third.CloseWrite()
	wantText(t, third, "got three")
}

// What did not fit into the SYN is kept for its flow alone, also where a PROXY header
// came before it: the loop's memory, which it was read to, is soon another's.
func TestFastOpenAfterProxyHeader(t *testing.T) {
	o := newOpening(t, func(want *spec.Spec) {
		want.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	header := string(proxy.AppendV1(nil, proxy.Header{Source: o.vip, Destination: o.vip}))
	first := dial(t, o.vip)
	say(t, first, header+"one")
	_ = first.CloseWrite()
	wantText(t, first, "got one")

	answers := o.silence()
	var flows []*net.TCPConn
	for i := range 16 { // of which some have a loop in common
		c := dial(t, o.vip)
		say(t, c, header)
		eventually(t, "the header is read, alone", func() bool { return o.targets.Group("db").Targets()[0].Active() == int64(i+1) })
		flows = append(flows, c)
	}
	text := func(i int) string { return strings.Repeat(string(rune('a'+i)), 8000) }
	for i, c := range flows {
		say(t, c, text(i))
	}
	answers()
	for i, c := range flows {
		_ = c.CloseWrite()
		if got, err := io.ReadAll(c); err != nil || string(got) != "got "+text(i) {
			t.Errorf("flow %d: the target got %d bytes (%v), %d of them its own", i, len(got), err, strings.Count(string(got), text(i)[:1]))
		}
	}
}
