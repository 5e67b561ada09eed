package relay_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"

	"portico/internal/netx"
	"portico/internal/testkit/netns"
	"portico/l4/relay"
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

// A client that ends before the target has answered the SYN which its bytes travel with
// is served as any other.
func TestEndBeforeFastOpen(t *testing.T) {
	n := netns.New(t)
	near, far := n.Add("near"), n.Add("far")
	n.Veth(near, "eth0", []string{"10.79.0.1/24"}, far, "eth0", []string{"10.79.0.2/24"})
	near.Sysctl("net/ipv4/tcp_fastopen", "1")
	far.Sysctl("net/ipv4/tcp_fastopen", "2")
	target := netip.MustParseAddrPort("10.79.0.2:9")
	var lists []*net.TCPListener
	var err error
	far.Run(func() { lists, err = netx.ListenMany(context.Background(), target, 1, netx.Options{FastOpen: true}) })
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
			all, _ := io.ReadAll(c)
			_, _ = c.Write(append([]byte("got "), all...))
			_ = c.Close()
		}
	}()
	vip := free(t, "127.0.0.1")
	want := tcpSpec(vip, target)
	want.TargetGroups[0].TCP.FastOpen = true
	b := start(t, want, func(o *relay.Options) { o.Dialer = inside{space: near} })

	first := dial(t, vip) // has the kernel learn the cookie that bytes in a SYN need
	say(t, first, "one")
	_ = first.CloseWrite()
	wantText(t, first, "got one")

	far.IP("route add blackhole 10.79.0.1") // it does not answer
	second := dial(t, vip)
	say(t, second, "two")
	_ = second.CloseWrite()
	eventually(t, "the SYN waits for an answer", func() bool {
		var table []byte
		near.Run(func() { table, _ = os.ReadFile("/proc/thread-self/net/tcp") })
		return bytes.Contains(table, []byte(" 02004F0A:0009 02 "))
	})
	far.IP("route del blackhole 10.79.0.1")
	wantText(t, second, "got two")

	third := dial(t, vip)
	eventually(t, "the third is connected, as far as one that has sent nothing is", func() bool { return b.metric("portico_l4_flows_active", "db") == 1 })
	near.IP("tcp_metrics flush") // its bytes go with no SYN after all
	say(t, third, "three")
	_ = third.CloseWrite()
	wantText(t, third, "got three")
}
