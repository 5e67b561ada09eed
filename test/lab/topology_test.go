//go:build linux

package lab

import (
	"fmt"
	"strings"

	"portico/internal/testkit"
	"portico/internal/testkit/netns"
)

// host is one machine: a namespace with one interface, eth0, towards the router.
type host struct {
	*netns.Space
	name     string
	v4, v6   string // its addresses
	gw4, gw6 string // the router's on its network
	via      string // the router's interface there
}

// forward makes the router one, which spreads flows by addresses and ports.
func (w *world) forward() {
	for _, key := range []string{
		"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
		"net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy",
		"net/ipv6/conf/all/keep_addr_on_down", "net/ipv6/conf/default/keep_addr_on_down",
	} {
		w.router.Sysctl(key, "1")
	}
}

func (w *world) hosts(role string, base, n int) []*host {
	w.t.Helper()
	var all []*host
	for i := range n {
		all = append(all, w.host(fmt.Sprintf("%s-%d", role, i+1), base+i+1, w.arm.mtu))
	}
	return all
}

// host makes a machine on network number n, where only the router is beside it.
func (w *world) host(name string, n, mtu int) *host {
	w.t.Helper()
	h := w.machine(name, n, 2)
	h.via = "to-" + name
	if w.arm.switched && strings.HasPrefix(name, "l4") {
		w.plug(h, w.network("s-"+name, h, mtu), mtu)
		return h
	}
	w.link(w.router, h.via, h.gateways(), h.Space, "eth0", h.own(), mtu)
	w.routes(h)
	return h
}

// neighbors makes the l4 nodes on one network, that of the VIP.
func (w *world) neighbors(n int) []*host {
	w.t.Helper()
	w.vip4, w.vip6 = "198.18.10.100", "2001:db8:10::100"
	var all []*host
	var lan *netns.Space
	for i := range n {
		h := w.machine(fmt.Sprintf("l4-%d", i+1), 10, 11+i)
		h.via = "to-lan"
		if lan == nil {
			lan = w.network("lan", h, w.arm.mtu)
		}
		w.plug(h, lan, w.arm.mtu)
		all = append(all, h)
	}
	return all
}

// machine makes a host without a link: its number on network number n.
func (w *world) machine(name string, n, number int) *host {
	w.t.Helper()
	return &host{
		Space: w.net.Add(name), name: name,
		v4: fmt.Sprintf("198.18.%d.%d", n, number), v6: fmt.Sprintf("2001:db8:%d::%d", n, number),
		gw4: fmt.Sprintf("198.18.%d.1", n), gw6: fmt.Sprintf("2001:db8:%d::1", n),
	}
}

// network makes a switch that the router is on, for hosts such as h.
func (w *world) network(name string, h *host, mtu int) *netns.Space {
	w.t.Helper()
	s := w.net.Add(name)
	s.IP("link add sw type bridge mcast_snooping 0")
	s.IP("link set sw up")
	w.link(w.router, h.via, h.gateways(), s, "uplink", nil, mtu)
	s.IP("link set uplink master sw")
	return s
}

// plug puts a host on a switch.
func (w *world) plug(h *host, s *netns.Space, mtu int) {
	w.t.Helper()
	w.link(s, h.name, nil, h.Space, "eth0", h.own(), mtu)
	s.IP("link set " + h.name + " master sw")
	w.routes(h)
}

// own and gateways are the addresses of the host and of the router on its network.
func (h *host) own() []string      { return []string{h.v4 + "/24", h.v6 + "/64"} }
func (h *host) gateways() []string { return []string{h.gw4 + "/24", h.gw6 + "/64"} }

// routes sends what the host has for others to the router. IPv6 knows its network once
// the kernel has seen that the link carries, which it does in its own time.
func (w *world) routes(h *host) {
	w.t.Helper()
	h.IP("route replace default via " + h.gw4)
	testkit.Poll(w.t, hang, func() error {
		if out, err := h.Command("ip", "-6", "route", "replace", "default", "via", h.gw6).CombinedOutput(); err != nil {
			return fmt.Errorf("in %s: default route: %w: %s", h.name, err, out)
		}
		return nil
	})
}

// link joins two namespaces.
func (w *world) link(a *netns.Space, aIf string, aAddrs []string, b *netns.Space, bIf string, bAddrs []string, mtu int) {
	w.t.Helper()
	w.net.Veth(a, aIf, aAddrs, b, bIf, bAddrs)
	for _, end := range []struct {
		in   *netns.Space
		name string
	}{{a, aIf}, {b, bIf}} {
		end.in.IP(fmt.Sprintf("link set %s mtu %d", end.name, mtu))
		end.in.Output("ethtool", "-K", end.name, "tx", "off") // no card fills in checksums
	}
	if err := pass(a, aIf); err != nil {
		w.t.Fatalf("%s in %s: %v", aIf, a.Name, err)
	}
}
