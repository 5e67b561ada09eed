package decap

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

	"portico/internal/handover"
	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/spec"
)

// pair is a node, and a neighbor on its link in the subnet of which the VIPs are.
type pair struct {
	node, neighbor *netns.Space
	pins           string
}

var (
	linkVIPs = []netip.Addr{addr("198.18.7.200"), addr("2001:db8:7::200")}
	nodeAt   = addr("198.18.7.1")
)

func newPair(t *testing.T) *pair {
	t.Helper()
	root(t)
	n := netns.New(t)
	p := &pair{node: n.Add("node"), neighbor: n.Add("peer"), pins: bpffs(t)}
	for _, s := range []*netns.Space{p.node, p.neighbor} {
		s.Sysctl("net/ipv6/conf/default/accept_dad", "0") // link-local addresses are usable at once
	}
	n.Veth(p.node, "eth0", []string{"198.18.7.1/24", "2001:db8:7::1/64"}, p.neighbor, "eth0", []string{"198.18.7.2/24", "2001:db8:7::2/64"})
	for _, version := range []string{"ipv4", "ipv6"} {
		for _, s := range []*netns.Space{p.node, p.neighbor} {
			s.Sysctl("net/"+version+"/neigh/eth0/retrans_time_ms", "50")
		}
	}
	p.node.Sysctl("net/ipv4/conf/eth0/rp_filter", "1")
	for _, s := range []*netns.Space{p.node, p.neighbor} { // a moment after the link is up
		testkit.Poll(t, bound, func() error {
			if known := s.IP("-6 addr show dev eth0 scope link"); !strings.Contains(known, "fe80") || strings.Contains(known, "tentative") {
				return fmt.Errorf("no link-local address: %q", known)
			}
			return nil
		})
	}
	return p
}

// spec is one with VIPs, or VIPs that are not reached by wrapped packets.
func (p *pair) spec(path spec.Datapath, vips ...netip.Addr) *spec.Spec {
	return &spec.Spec{
		Sites: []spec.Site{{Name: "here", L4: spec.SiteL4{Datapath: path}, Nodes: []spec.Node{
			{Name: "l", Address: addr("198.18.7.2"), Roles: []spec.Role{spec.RoleL4}},
			{Name: "n", Address: nodeAt, Roles: []spec.Role{spec.RoleL7}},
		}}},
		VIPs:      []spec.VIP{{Name: "v", Addresses: map[spec.SiteName][]netip.Addr{"here": vips}}},
		Listeners: []spec.Listener{{Name: "http", VIP: "v", Port: bedPort, Protocol: spec.ProtocolHTTP}},
	}
}

// machine is all that a decapsulator may change on the node's machine.
func (p *pair) machine() string {
	var all strings.Builder
	for _, words := range []string{"-o addr", "route show table all", "-6 route show table all", "neigh", "-o link"} {
		all.WriteString(p.node.IP(words))
	}
	p.node.Run(func() {
		for _, name := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
			for _, device := range []string{"all", "default", "lo", "eth0"} {
				n, err := readNumber(filepath.Join(conf, device, name))
				fmt.Fprintln(&all, device, name, n, err)
			}
		}
	})
	return all.String()
}

// open is a decapsulator of the node with what an earlier one left.
func (p *pair) open(state string) *Decapsulator {
	return New(Options{Self: "n", State: state, Log: slog.New(slog.DiscardHandler), Pins: filepath.Join(p.pins, "n", "l7")})
}

// stop ends one as Run does.
func (p *pair) stop(t *testing.T, d *Decapsulator) {
	t.Helper()
	p.end(t, d, nil)
}

// end is stop for a reason.
func (p *pair) end(t *testing.T, d *Decapsulator, why error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	var err error
	p.node.Run(func() { err = d.Run(ctx) })
	if err != nil {
		t.Error(err)
	}
}

// adopt is another process that goes on with a program, by its link, as it is.
func (p *pair) adopt(t *testing.T, state string, want *spec.Spec, was link.ID) *Decapsulator {
	t.Helper()
	next := p.open(state)
	apply(t, p.node, next, want)
	if p.linkID(t) != was {
		t.Error("the program was attached anew")
	}
	return next
}

// kill leaves what one did as the kernel does when its process is killed.
func kill(t *testing.T, d *Decapsulator) {
	t.Helper()
	if err := d.machine.program.close(); err != nil {
		t.Error(err)
	}
	d.machine.links.Close()
}

// TestLeavesNothing proves that the machine is as before after a clean exit; and,
// when the process was killed, after the next one's, whether that goes on or finds
// that it has nothing to do.
func TestLeavesNothing(t *testing.T) {
	p := newPair(t)
	p.node.Address("lo", "198.18.7.201/32") // the operator's own
	vips := append([]netip.Addr{addr("198.18.7.201")}, linkVIPs...)
	p.node.IP("neigh replace 198.18.7.2 lladdr 02:00:00:00:00:02 dev eth0") // not to change by itself
	before := p.machine()
	want, none := p.spec(spec.DatapathXDP, vips...), p.spec(spec.DatapathRelay, vips...)
	ends := []struct {
		name string
		end  func(t *testing.T, d *Decapsulator, state string)
	}{
		{"exit", func(t *testing.T, d *Decapsulator, _ string) {
			t.Helper()
			p.stop(t, d)
		}},
		{"killed, then adopted", func(t *testing.T, d *Decapsulator, state string) {
			t.Helper()
			was := p.linkID(t)
			kill(t, d)
			if p.linkID(t) != was {
				t.Fatal("the program went with the process")
			}
			next := p.adopt(t, state, want, was)
			p.stop(t, next)
		}},
		{"killed, then adopted by another layout", func(t *testing.T, d *Decapsulator, state string) {
			t.Helper()
			was := p.linkID(t)
			kill(t, d)
			of := filepath.Join(p.pins, "n", "l7")
			if err := os.Mkdir(filepath.Join(of, "decap-v0"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(of, layout, linkPin), filepath.Join(of, "decap-v0", linkPin)); err != nil {
				t.Fatal(err)
			}
			next := p.adopt(t, state, want, was)
			noFile(t, filepath.Join(of, "decap-v0"))
			p.stop(t, next)
		}},
		{"handed over, then adopted", func(t *testing.T, d *Decapsulator, state string) {
			t.Helper()
			was := p.linkID(t)
			during := p.machine()
			p.end(t, d, handover.Err)
			if now := p.machine(); now != during || p.linkID(t) != was {
				t.Errorf("a successor finds\n%s\nwant\n%s", now, during)
			}
			next := p.adopt(t, state, want, was)
			p.stop(t, next)
		}},
		{"handed over without a record", func(t *testing.T, d *Decapsulator, _ string) {
			t.Helper()
			p.stop(t, d)
			nobody := p.open("")
			apply(t, p.node, nobody, want)
			p.end(t, nobody, handover.Err) // a successor could put nothing back
		}},
		{"killed, then not wanted", func(t *testing.T, d *Decapsulator, state string) {
			t.Helper()
			kill(t, d)
			next := p.open(state)
			apply(t, p.node, next, none)
			p.stop(t, next)
		}},
	}
	for _, tt := range ends {
		t.Run(tt.name, func(t *testing.T) {
			state := t.TempDir()
			d := p.open(state)
			apply(t, p.node, d, want)
			during := p.machine()
			for _, must := range []string{"198.18.7.200/32 scope host lo:portico", "2001:db8:7::200/128", "eth0 arp_ignore 3", "eth0 arp_announce 2", "eth0 rp_filter 2", "xdp"} {
				if !strings.Contains(during, must) {
					t.Errorf("the machine lacks %q:\n%s", must, during)
				}
			}
			tt.end(t, d, state)
			if after := p.machine(); after != before {
				t.Errorf("the machine is left with\n%s\nwant\n%s", after, before)
			}
			noFile(t, filepath.Join(state, "decap-n.json"))
			noFile(t, filepath.Join(p.pins, "n"))
		})
	}
}

// linkID tells one attachment of the program from another.
func (p *pair) linkID(t *testing.T) link.ID {
	t.Helper()
	l, err := link.LoadPinnedLink(filepath.Join(p.pins, "n", "l7", layout, linkPin), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	at, err := l.Info()
	if err != nil {
		t.Fatal(err)
	}
	return at.ID
}

// TestNobodyIsTold proves that a VIP which the node holds is answered for by
// nobody on the link and never asked from, by ARP or by neighbor discovery. Without
// what the decapsulator sets, it is.
func TestNobodyIsTold(t *testing.T) {
	p := newPair(t)
	d := p.open(t.TempDir())
	apply(t, p.node, d, p.spec(spec.DatapathXDP, linkVIPs...))
	t.Cleanup(func() { p.stop(t, d) })
	for _, vip := range linkVIPs {
		if got := p.resolve(t, p.neighbor, vip, netip.Addr{}); !strings.Contains(got, "FAILED") {
			t.Errorf("VIP %s: the neighbor knows %q, want nothing", vip, got)
		}
	}
	// Asking for the neighbor in the name of the VIP would tell it as much.
	for _, vip := range linkVIPs {
		for _, s := range []*netns.Space{p.node, p.neighbor} {
			s.IP("neigh flush all")
			s.IP("neigh flush all nud failed") // as of when the link was not there yet
		}
		neighbor := addr(map[bool]string{true: "198.18.7.2", false: "2001:db8:7::2"}[vip.Is4()])
		if got := p.resolve(t, p.node, neighbor, vip); !strings.Contains(got, "lladdr") {
			t.Errorf("from VIP %s the neighbor is not found: %q", vip, got)
		}
		if got := p.neighbor.IP("neigh show " + vip.String()); strings.Contains(got, "lladdr") {
			t.Errorf("VIP %s: asked from it, the neighbor knows %q", vip, got)
		}
	}

	p.node.Sysctl("net/ipv4/conf/eth0/arp_ignore", "0") // the control
	p.neighbor.IP("neigh flush all nud failed")
	if got := p.resolve(t, p.neighbor, linkVIPs[0], netip.Addr{}); !strings.Contains(got, "lladdr") {
		t.Errorf("the neighbor knows %q of the VIP, want its address: nothing was proved", got)
	}
}

// resolve sends something to an address on the link, from another if valid, and
// returns what is known of it when that is certain.
func (p *pair) resolve(t *testing.T, s *netns.Space, to, from netip.Addr) string {
	t.Helper()
	var conn *net.UDPConn
	var err error
	s.Run(func() {
		var local *net.UDPAddr
		if from.IsValid() {
			local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
		}
		if conn, err = net.DialUDP("udp", local, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9))); err == nil {
			_, err = conn.Write([]byte("x"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var known string
	testkit.Poll(t, bound, func() error {
		known = s.IP("neigh show " + to.String())
		if strings.Contains(known, "lladdr") || strings.Contains(known, "FAILED") {
			return nil
		}
		return fmt.Errorf("of %s is known %q", to, known)
	})
	return known
}

// TestKeeps proves that what somebody else takes away is put in place again, and
// that the attachment stays while the link changes, pinned.
func TestKeeps(t *testing.T) {
	p := newPair(t)
	d := p.open(t.TempDir())
	apply(t, p.node, d, p.spec(spec.DatapathXDP, linkVIPs...))
	t.Cleanup(func() { p.stop(t, d) })
	was, room := p.linkID(t), d.SegmentMax(linkVIPs[0])
	p.node.IP("link set eth0 mtu 1400")
	p.node.IP("addr del 198.18.7.200/32 dev lo")
	p.node.Sysctl("net/ipv4/conf/eth0/arp_ignore", "0")
	var err error
	p.node.Run(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		err = d.keep()
	})
	if now := p.machine(); err != nil || !strings.Contains(now, "198.18.7.200/32") || !strings.Contains(now, "eth0 arp_ignore 3") {
		t.Errorf("%v, and the machine is\n%s", err, now)
	}
	if p.linkID(t) != was {
		t.Error("the program was attached anew")
	}
	if now := d.SegmentMax(linkVIPs[0]); now != room-100 {
		t.Errorf("segments of %d bytes where the MTU is 100 less, %d before", now, room)
	}
}

// TestRunKeeps proves that Run puts in place again what somebody takes away, also after
// specs by which there was nothing to keep.
func TestRunKeeps(t *testing.T) {
	p := newPair(t)
	d := p.open(t.TempDir())
	d.every = time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go p.node.Run(func() { done <- d.Run(ctx) })
	for range 5 {
		apply(t, p.node, d, p.spec(spec.DatapathRelay, linkVIPs...))
		if now := p.node.IP("addr show dev lo"); strings.Contains(now, "198.18.7.200/32") {
			t.Fatalf("an address is left:\n%s", now)
		}
		apply(t, p.node, d, p.spec(spec.DatapathXDP, linkVIPs...))
		p.node.IP("addr del 198.18.7.200/32 dev lo")
		testkit.Poll(t, bound, func() error {
			if now := p.node.IP("addr show dev lo"); !strings.Contains(now, "198.18.7.200/32") {
				return fmt.Errorf("an address that was taken away is not put back:\n%s", now)
			}
			return nil
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestRefusals proves that what a machine cannot do is said with its place in the
// spec and what to do, and that nothing is left of the try.
func TestRefusals(t *testing.T) {
	p := newPair(t)
	want := p.spec(spec.DatapathXDP, linkVIPs...)
	tests := []struct {
		name string
		edit func(n *spec.Node, o *Options)
		says string
	}{
		{"no such address", func(n *spec.Node, _ *Options) { n.Address = addr("198.18.7.99") }, "no interface has the node's address 198.18.7.99"},
		{"no such interface", func(n *spec.Node, _ *Options) { n.Interface = "eth9" }, `interface "eth9"`},
		{"no BPF file system", func(_ *spec.Node, o *Options) { o.Pins = filepath.Join(o.State, "pins") }, "mount -t bpf bpf /sys/fs/bpf"},
		{"a program of someone else", func(n *spec.Node, _ *Options) { n.Interface = "taken" }, "has an XDP program of someone else"},
	}
	p.node.IP("link add taken type veth peer name other")
	passAll(t, p.node, "taken")
	before := p.machine()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := *want
			w.Sites = []spec.Site{want.Sites[0]}
			w.Sites[0].Nodes = append([]spec.Node{}, want.Sites[0].Nodes...)
			o := Options{Self: "n", State: t.TempDir(), Log: slog.New(slog.DiscardHandler), Pins: filepath.Join(p.pins, "n", "l7")}
			tt.edit(&w.Sites[0].Nodes[1], &o)
			d := New(o)
			var err error
			p.node.Run(func() { err = d.Apply(&w) })
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "sites[0].l4.datapath") {
				t.Errorf("Apply = %v, want a problem of sites[0].l4.datapath with %q", err, tt.says)
			}
			apply(t, p.node, d, p.spec(spec.DatapathRelay))
			p.stop(t, d)
			if after := p.machine(); after != before {
				t.Errorf("the machine is left with\n%s\nwant\n%s", after, before)
			}
		})
	}
}
