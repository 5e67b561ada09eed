package bgp_test

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/internal/clock"
	"portico/internal/testkit"
	"portico/internal/testkit/frr"
	"portico/internal/testkit/netns"
	"portico/spec"
	"portico/vip/bgp"
)

const (
	vip4 = "198.18.100.1"
	vip6 = "2001:db8:100::1"
)

// lab is a router and two nodes, each on a link of its own.
type lab struct {
	router *frr.Router
	spaces [2]*netns.Space
}

// newLab starts the router; more is added to what it says of both nodes.
func newLab(t *testing.T, more string) *lab {
	t.Helper()
	n := netns.New(t)
	r := n.Add("r")
	l := &lab{}
	neighbors, active := "", ""
	for i := range l.spaces {
		l.spaces[i] = n.Add(fmt.Sprint("n", i+1))
		n.Veth(r, fmt.Sprint("rn", i+1), []string{fmt.Sprintf("10.9.%d.1/24", i+1), fmt.Sprintf("2001:db8:%d::1/64", i+1)},
			l.spaces[i], "eth0", []string{fmt.Sprintf("10.9.%d.2/24", i+1), fmt.Sprintf("2001:db8:%d::2/64", i+1)})
		neighbors += fmt.Sprintf(" neighbor 10.9.%d.2 peer-group P\n", i+1)
	}
	r.Sysctl("net/ipv4/fib_multipath_hash_policy", "1")
	for _, family := range []string{"ipv4", "ipv6"} {
		active += " address-family " + family + " unicast\n  neighbor P activate\n  maximum-paths 16\n exit-address-family\n"
	}
	l.router = frr.Start(t, r, frr.Config{
		BGP: "router bgp 65000\n bgp router-id 10.9.1.1\n no bgp ebgp-requires-policy\n" +
			" neighbor P peer-group\n neighbor P remote-as 65001\n neighbor P timers 3 9\n neighbor P advertisement-interval 0\n" +
			more + neighbors + active,
		BFD: "bfd\n profile fast\n  receive-interval 300\n  transmit-interval 300\n  detect-multiplier 3\n" +
			" profile calm\n  receive-interval 300\n  transmit-interval 300\n  detect-multiplier 10\n",
	})
	return l
}

// node starts the node of a link, from 0.
func (l *lab) node(t *testing.T, i int, change func(o *order, p *spec.BGPPeer)) *node {
	t.Helper()
	p := spec.BGPPeer{Address: netip.MustParseAddr(fmt.Sprintf("10.9.%d.1", i+1)), Port: 179, AS: 65000, HoldTime: spec.Duration(9 * time.Second)}
	o := orderOf(fmt.Sprintf("10.9.%d.2", i+1))
	o.Spec.Sites[0].BGP.GracefulRestart = spec.Duration(10 * time.Second)
	if change != nil {
		change(&o, &p)
	}
	o.Spec.Sites[0].BGP.Peers = []spec.BGPPeer{p}
	return run(t, l.spaces[i], o)
}

// watched makes a node watch its router by BFD, with 300 ms times this; the router's
// profiles are fast, which is 3, and calm, which is 10.
func watched(p *spec.BGPPeer, multiplier int) {
	p.BFD = &spec.BFD{Interval: spec.Duration(300 * time.Millisecond), Multiplier: multiplier}
}

func bothVIPs(leaving bool) []bgp.Route {
	four, six := route(vip4+"/32", spec.VIPRoutes{Communities: []string{"65001:7"}}), route(vip6+"/128", spec.VIPRoutes{})
	four.Leaving, six.Leaving = leaving, leaving
	return []bgp.Route{four, six}
}

// hops waits until the router's kernel sends both VIPs to these nodes, and returns
// how long that took.
func (l *lab) hops(t *testing.T, nodes ...int) time.Duration {
	t.Helper()
	began := clock.Now()
	var want4, want6 []string
	for _, n := range nodes {
		want4 = append(want4, fmt.Sprintf("10.9.%d.2", n))
		want6 = append(want6, fmt.Sprintf("2001:db8:%d::2", n))
	}
	testkit.Poll(t, bound, func() error {
		got4, got6 := l.router.NextHops(vip4), l.router.NextHops(vip6)
		slices.Sort(got4)
		slices.Sort(got6)
		if !slices.Equal(got4, want4) || !slices.Equal(got6, want6) {
			return fmt.Errorf("next hops = %v and %v, want %v and %v", got4, got6, want4, want6)
		}
		return nil
	})
	return clock.Now().Sub(began)
}

// long leaves a test that waits for timers of a real router to make lab.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("PORTICO_LAB") == "" {
		t.Skip("waits for the timers of a router: make lab")
	}
	t.Parallel()
}

// TestFRR proves with a real router that routes of both families reach its kernel,
// from two nodes at once; that a node that leaves is avoided before it withdraws;
// and that a node that stops takes its routes with it.
func TestFRR(t *testing.T) {
	t.Parallel()
	l := newLab(t, "")
	one, two := l.node(t, 0, nil), l.node(t, 1, nil)
	one.announce(bothVIPs(false)...)
	two.announce(bothVIPs(false)...)
	l.hops(t, 1, 2)
	one.established()
	if p := one.peers()[0]; p.Routes != 2 || p.Reason != "" || p.Address != "10.9.1.1" {
		t.Errorf("peer = %+v, want 2 routes", p)
	}

	one.announce(bothVIPs(true)...)
	l.hops(t, 2)
	if shown := l.router.VTY("show bgp ipv4 unicast " + vip4 + "/32"); !strings.Contains(shown, "65001:7 graceful-shutdown") {
		t.Errorf("the router shows no graceful-shutdown:\n%s", shown)
	}
	one.announce(bothVIPs(false)...)
	l.hops(t, 1, 2)
	one.announce()
	t.Logf("withdrawn from the kernel after %v", l.hops(t, 2))
	one.announce(bothVIPs(false)...)
	l.hops(t, 1, 2)
	one.stop()
	t.Logf("stopped: gone from the kernel after %v", l.hops(t, 2))
	two.stop()
	l.hops(t)
}

// TestFRRLosses proves how routes of nodes that are lost leave the router's kernel: of
// one that is frozen, so that its kernel still answers, by BFD; of one that was
// killed at once, by the end of the connection; and where the data path outlives the
// process, after the time that the router grants to a restart.
func TestFRRLosses(t *testing.T) {
	long(t)
	const grant = 3 * time.Second
	l := newLab(t, " neighbor P bfd profile fast\n")
	start := func(i int, path spec.Datapath) *node {
		n := l.node(t, i, func(o *order, p *spec.BGPPeer) {
			watched(p, 3)
			o.Spec.Sites[0].BGP.GracefulRestart, o.Spec.Sites[0].L4.Datapath = spec.Duration(grant), path
		})
		n.announce(bothVIPs(false)...)
		return n
	}
	one, two := start(0, spec.DatapathRelay), start(1, spec.DatapathXDP)
	one.established()
	two.established()
	l.hops(t, 1, 2)
	one.kill()
	t.Logf("killed: gone from the kernel after %v", l.hops(t, 2))
	two.kill()
	kept := l.hops(t)
	t.Logf("killed, with graceful restart in %v: gone from the kernel after %v", grant, kept)
	if kept < grant/2 {
		t.Errorf("the router kept the routes for %v, want %v", kept, grant)
	}
	one = start(0, spec.DatapathXDP)
	one.established()
	l.hops(t, 1)
	one.freeze()
	t.Logf("frozen: gone from the kernel after %v", l.hops(t))
}

// TestFRRRestart proves that a restart with graceful restart changes nothing in the
// router's kernel, be it planned or after a crash, and that without it a restart does.
func TestFRRRestart(t *testing.T) {
	long(t)
	cases := []struct {
		name     string
		graceful bool
		end      func(*node)
	}{
		{"planned", true, (*node).restart},
		{"crash", true, func(n *node) { n.kill() }},
		{"not graceful", false, (*node).restart},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, " neighbor P bfd profile calm\n")
			change := func(o *order, p *spec.BGPPeer) {
				watched(p, 10)
				if !c.graceful {
					o.Spec.Sites[0].BGP.GracefulRestart = spec.Off
				}
			}
			n := l.node(t, 0, change)
			n.announce(bothVIPs(false)...)
			n.established()
			l.hops(t, 1)
			events := l.watch(t, vip4, vip6)
			c.end(n)
			n = l.node(t, 0, change)
			n.established() // before its routes are known, as after a real start
			n.announce(bothVIPs(false)...)
			testkit.Poll(t, bound, func() error {
				if shown := l.router.VTY("show bgp neighbors 10.9.1.2"); !strings.Contains(shown, "End-of-RIB received: IPv4 Unicast") && c.graceful {
					return fmt.Errorf("no end of routes: %s", shown)
				}
				return nil
			})
			l.hops(t, 1)
			if seen := events(); (seen == 0) != c.graceful {
				t.Errorf("%d changes of the VIPs in the kernel, graceful %v", seen, c.graceful)
			}
		})
	}
}

// watch counts changes of the VIPs' routes in the router's kernel from now on, until
// the returned function is called.
func (l *lab) watch(t *testing.T, vips ...string) (changes func() int) {
	t.Helper()
	out, in := io.Pipe()
	cmd := l.router.Space.Command("ip", "-o", "monitor", "route")
	cmd.Stdout = in
	kill := l.router.Space.Start(cmd)
	var seen atomic.Int32
	done, ready := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			switch text := lines.Text(); {
			case strings.Contains(text, "198.18.255.255"):
				ready <- struct{}{} // the monitor is listening
			case slices.ContainsFunc(vips, func(a string) bool { return strings.Contains(text, a) }):
				t.Log(text)
				seen.Add(1)
			}
		}
	}()
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for listening := false; !listening; {
		l.router.Space.IP("route replace blackhole 198.18.255.255")
		select {
		case <-ready:
			listening = true
		case <-retry.C:
		}
		l.router.Space.IP("route del blackhole 198.18.255.255")
	}
	go func() {
		for range ready { // what was asked again
			continue
		}
	}()
	return func() int {
		kill()
		_ = in.Close()
		<-done
		close(ready)
		return int(seen.Load())
	}
}

// TestFRRPassword proves that segments are signed, and that a wrong or missing
// password is named as what may be wrong.
func TestFRRPassword(t *testing.T) {
	long(t)
	l := newLab(t, " neighbor P password secret\n")
	cases := []struct{ password, want string }{
		{"another", "no answer: is the router there, and is its password (TCP-MD5) the same?"},
		{"", "no answer: is the router there, and does it ask for a password (TCP-MD5)?"},
	}
	var nodes []*node
	for i, c := range cases {
		nodes = append(nodes, l.node(t, i, func(o *order, _ *spec.BGPPeer) { o.Password = c.password }))
	}
	for i, c := range cases {
		testkit.Poll(t, bound, func() error {
			if p := nodes[i].peers()[0]; p.Reason != c.want {
				return fmt.Errorf("password %q: peer = %+v, want the reason %q", c.password, p, c.want)
			}
			return nil
		})
		nodes[i].stop()
	}
	right := l.node(t, 0, func(o *order, _ *spec.BGPPeer) { o.Password = "secret" })
	right.announce(bothVIPs(false)...)
	l.hops(t, 1)
	right.stop()
}

// TestFRRLinkLocal proves that a link needs no addresses but those that IPv6 gives
// it: IPv4 goes by way of IPv6 there (RFC 8950).
func TestFRRLinkLocal(t *testing.T) {
	long(t)
	n := netns.New(t)
	r, a := n.Add("r"), n.Add("n1")
	for _, s := range []*netns.Space{r, a} {
		s.Sysctl("net/ipv6/conf/default/addr_gen_mode", "1") // these addresses and no others
	}
	n.Veth(r, "rn1", []string{"fe80::1/64"}, a, "eth0", []string{"fe80::2/64"})
	router := frr.Start(t, r, frr.Config{
		BGP: "router bgp 65000\n bgp router-id 10.9.1.1\n no bgp ebgp-requires-policy\n neighbor fe80::2 remote-as 65001\n" +
			" neighbor fe80::2 interface rn1\n neighbor fe80::2 capability extended-nexthop\n neighbor fe80::2 timers 3 9\n" +
			" address-family ipv6 unicast\n  neighbor fe80::2 activate\n exit-address-family\n",
	})
	one := run(t, a, orderOf("192.0.2.7", spec.BGPPeer{
		Address: netip.MustParseAddr("fe80::1"), Interface: "eth0", Port: 179, AS: 65000, HoldTime: spec.Duration(9 * time.Second),
	}))
	one.announce(bothVIPs(false)...)
	testkit.Poll(t, bound, func() error {
		// FRR writes the neighbor's link address under 169.254.0.1 and routes IPv4 there.
		four, six := router.NextHops(vip4), router.NextHops(vip6)
		if !slices.Equal(four, []string{"169.254.0.1"}) || !slices.Equal(six, []string{"fe80::2"}) {
			return fmt.Errorf("next hops = %v and %v, want those on the link; peers %+v", four, six, one.peers())
		}
		return nil
	})
	one.stop()
}
