package decap

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/cilium/ebpf"

	"portico/internal/testkit"
)

// root skips a test that cannot load programs into the kernel.
func root(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		testkit.Without(tb, "programs in the kernel need root")
	}
}

// loaded is the program on its own, as node self.
func loaded(tb testing.TB) *program {
	tb.Helper()
	root(tb)
	p := &program{}
	if err := loadProgramObjects(&p.programObjects, nil); err != nil {
		if v := (*ebpf.VerifierError)(nil); errors.As(err, &v) {
			tb.Fatalf("%+v", v)
		}
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.close() })
	nodes := map[netip.Addr]programNode{}
	for a, r := range map[netip.Addr]role{
		self4: isSelf | isL7, self6: isSelf | isL7, lb4: isL4, lb6: isL4, peer4: isL7, peer6: isL7,
	} {
		nodes[a] = programNode{Roles: uint32(r)}
	}
	if err := p.fill(nodes, []netip.Addr{vip4, vip6}); err != nil {
		tb.Fatal(err)
	}
	return p
}

// ethernet is the size of its header.
const ethernet = 14

// The program's verdicts.
const (
	xdpDrop = 1
	xdpPass = 2
	xdpTX   = 3
)

// run gives the program a frame: what it says, what became of the frame, and the
// result that it counted.
func (p *program) run(tb testing.TB, in []byte) (verdict uint32, out []byte, result string) {
	tb.Helper()
	before, err := p.read()
	if err != nil {
		tb.Fatal(err)
	}
	o := ebpf.RunOptions{Data: in, DataOut: make([]byte, len(in)+256)}
	verdict, err = p.PorticoDecap.Run(&o)
	if err != nil {
		tb.Fatal(err)
	}
	after, err := p.read()
	if err != nil {
		tb.Fatal(err)
	}
	for r, n := range after {
		if n > before[r] {
			result += r
		}
	}
	return verdict, o.DataOut, result
}

// flow is a connection on the VIP: the client's end and the VIP's.
type flow struct{ client, vip netip.AddrPort }

// connected has a connection in this process, and a socket that listens.
func connected(tb testing.TB, vip netip.Addr) flow {
	tb.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(vip.String(), "0"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return flow{c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()}
}

func (f flow) back() flow { return flow{f.vip, f.client} }

// family is what the two families have each.
type family struct {
	name                                          string
	self, lb, peer, alien, nobody, other, another netip.Addr
	had                                           flow // a socket has it
	new                                           flow // only a listening socket would
}

func families(tb testing.TB) []family {
	tb.Helper()
	had4, had6 := connected(tb, vip4), connected(tb, vip6)
	return []family{
		{"IPv4", self4, lb4, peer4, alien4, nobody4, other4, addr("198.18.0.77"), had4, flow{netip.MustParseAddrPort("127.0.0.1:9"), had4.vip}},
		{"IPv6", self6, lb6, peer6, alien6, nobody6, other6, addr("2001:db8::77"), had6, flow{netip.MustParseAddrPort("[::1]:9"), had6.vip}},
	}
}

// wrapping is one way to wrap a packet, with whom to ask second.
type wrapping struct {
	name string
	wrap func(src, dst netip.Addr, left byte, second netip.Addr, inner []byte) []byte
}

// TestResults proves what becomes of packets, whatever they are wrapped in and
// whatever family is within: only a site's nodes are listened to, only VIPs are
// reached, and a packet whose flow is elsewhere goes there once.
func TestResults(t *testing.T) {
	p := loaded(t)
	for _, outer := range families(t) {
		wrappings := []wrapping{{"GUE", gue}}
		if outer.self.Is6() {
			wrappings = append(wrappings, wrapping{"option", option})
		}
		for _, inner := range families(t) {
			for _, w := range wrappings {
				t.Run(fmt.Sprintf("%s of %s in %s", w.name, outer.name, inner.name), func(t *testing.T) {
					p.testChain(t, w, outer, inner)
				})
			}
			t.Run(fmt.Sprintf("%s in %s alone", inner.name, outer.name), func(t *testing.T) { p.testPlain(t, outer, inner) })
		}
	}
}

func (p *program) testChain(t *testing.T, w wrapping, o, in family) {
	t.Helper()
	from := func(src netip.Addr, left byte, second netip.Addr, inner []byte) []byte {
		return w.wrap(src, o.self, left, second, inner)
	}
	unreachable := byte(3)
	if in.self.Is6() {
		unreachable = 1
	}
	had, gone := tcp(in.had.client, in.had.vip, ack), tcp(in.new.client, in.new.vip, ack)
	about := icmp(in.alien, in.had.vip.Addr(), unreachable, tcp(in.had.back().client, in.had.back().vip, ack))
	aboutGone := icmp(in.alien, in.had.vip.Addr(), unreachable, tcp(in.new.back().client, in.new.back().vip, ack))
	tests := []struct {
		name    string
		packet  []byte
		verdict uint32
		result  string
	}{
		{"SYN", from(o.lb, 1, o.peer, tcp(in.new.client, in.new.vip, syn)), xdpPass, "syn"},
		{"flow of a socket", from(o.lb, 1, o.peer, had), xdpPass, "flow"},
		{"flow of none", from(o.lb, 1, o.peer, gone), xdpTX, "chained"},
		{"reset of none", from(o.lb, 1, o.peer, tcp(in.new.client, in.new.vip, rst)), xdpTX, "chained"},
		{"flow of none, nobody to ask", from(o.lb, 1, o.nobody, gone), xdpPass, "last"},
		{"flow of none, asked often enough", from(o.lb, 0, o.peer, gone), xdpPass, "last"},
		{"flow of none, second is this node", from(o.lb, 1, o.self, gone), xdpPass, "last"},
		{"flow of none, second is no node", from(o.lb, 1, o.another, gone), xdpPass, "last"},
		{"flow of none, second is an l4 node", from(o.lb, 1, o.lb, gone), xdpPass, "last"},
		{"sent on by a peer", from(o.peer, 0, o.nobody, had), xdpPass, "flow"},
		{"sent on by a peer, flow of none", from(o.peer, 0, o.nobody, gone), xdpPass, "last"},
		{"a peer that wants it sent on", from(o.peer, 1, o.peer, gone), xdpDrop, "malformed"},
		{"from a stranger", from(o.alien, 1, o.peer, had), xdpPass, "stranger"},
		{"from this node", from(o.self, 0, o.nobody, had), xdpPass, "flow"},
		{"to another node", w.wrap(o.lb, o.peer, 1, o.peer, had), xdpPass, ""},
		{"to no VIP", from(o.lb, 1, o.peer, tcp(in.had.client, netip.AddrPortFrom(in.other, 80), ack)), xdpDrop, "not-vip"},
		{"UDP", from(o.lb, 1, o.peer, udp(in.new.client, in.new.vip, []byte("x"))), xdpPass, "udp"},
		{"error about a flow of a socket", from(o.lb, 1, o.peer, about), xdpPass, "icmp"},
		{"error about a flow of none", from(o.lb, 1, o.peer, aboutGone), xdpTX, "chained"},
		{"another protocol", from(o.lb, 1, o.peer, ip(in.new.client.Addr(), in.new.vip.Addr(), 47, make([]byte, 8))), xdpPass, "other"},
		{"nothing within", from(o.lb, 1, o.peer, begin(in)), xdpDrop, "malformed"},
		{"half a TCP header", from(o.lb, 1, o.peer, ip(in.had.client.Addr(), in.had.vip.Addr(), 6, make([]byte, 10))), xdpDrop, "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			verdict, out, result := p.run(t, frame(tt.packet))
			if verdict != tt.verdict || result != tt.result {
				t.Fatalf("verdict %d, result %q; want %d, %q", verdict, result, tt.verdict, tt.result)
			}
			switch {
			case verdict == xdpTX:
				checkSentOn(t, w, o, tt.packet, out)
			case verdict == xdpPass && result != "" && result != "stranger":
				if inner := tt.packet[len(tt.packet)-innerSize(tt.packet):]; !bytes.Equal(out, frame(inner)) {
					t.Errorf("the kernel gets\n%x, want\n%x", out, frame(inner))
				}
			case verdict == xdpPass && !bytes.Equal(out, frame(tt.packet)):
				t.Errorf("the kernel gets\n%x, want it as it came:\n%x", out, frame(tt.packet))
			}
		})
	}
}

// begin is the begin of a packet of a family, and no more.
func begin(f family) []byte {
	if f.self.Is4() {
		return []byte{0x45}
	}
	return []byte{0x60}
}

// innerSize is how long the packet within is.
func innerSize(packet []byte) int {
	size := map[byte]int{0x4: 20, 0x6: 40}[packet[0]>>4]
	switch proto := map[byte]byte{0x4: packet[9], 0x6: packet[6]}[packet[0]>>4]; {
	case proto == 17 && size == 20:
		size += 8 + 4 + 8
	case proto == 17:
		size += 8 + 4 + 20
	case proto == 60:
		size += 24
	}
	return len(packet) - size
}

// checkSentOn compares a packet that was sent on with one written from scratch.
func checkSentOn(t *testing.T, w wrapping, o family, in, out []byte) {
	t.Helper()
	want := w.wrap(o.self, o.peer, 0, o.nobody, in[len(in)-innerSize(in):])
	if o.self.Is4() {
		want[8]--
		want[10], want[11] = 0, 0
		s := sum(want[:20])
		want[10], want[11] = byte(s>>8), byte(s)
	} else {
		want[7]--
	}
	wantFrame := frame(want)
	copy(wantFrame, macFrom[:])
	copy(wantFrame[6:], macTo[:])
	if !bytes.Equal(out, wantFrame) {
		t.Errorf("sent on\n%x, want\n%x", out, wantFrame)
	}
}

// testPlain proves that what says nobody to ask second ends here, and that only
// l4 nodes may send it.
func (p *program) testPlain(t *testing.T, o, in family) {
	t.Helper()
	had, gone := tcp(in.had.client, in.had.vip, ack), tcp(in.new.client, in.new.vip, ack)
	for _, tt := range []struct {
		name    string
		packet  []byte
		verdict uint32
		result  string
	}{
		{"flow of a socket", plain(o.lb, o.self, had), xdpPass, "flow"},
		{"flow of none", plain(o.lb, o.self, gone), xdpPass, "last"},
		{"from a peer", plain(o.peer, o.self, had), xdpDrop, "malformed"},
		{"from a stranger", plain(o.alien, o.self, had), xdpPass, "stranger"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if verdict, _, result := p.run(t, frame(tt.packet)); verdict != tt.verdict || result != tt.result {
				t.Errorf("verdict %d, result %q; want %d, %q", verdict, result, tt.verdict, tt.result)
			}
		})
	}
}

// TestMalformed proves that a packet of an l4 node that is in any byte not as l4
// nodes send them goes nowhere: there is one way to write each.
func TestMalformed(t *testing.T) {
	p := loaded(t)
	f4 := families(t)[0]
	had := tcp(f4.had.client, f4.had.vip, ack)
	edit := func(packet []byte, at int, to byte) []byte {
		out := bytes.Clone(packet)
		out[at] = to
		return out
	}
	whole4, whole6, opt := gue(lb4, self4, 1, peer4, had), gue(lb6, self6, 1, peer6, had), option(lb6, self6, 1, peer6, had)
	tests := map[string][]byte{
		"checksum of IPv4":           edit(whole4, 10, whole4[10]^1),
		"UDP checksum":               edit(whole4, 26, 1),
		"UDP length":                 edit(whole4, 25, whole4[25]-1),
		"version of GUE":             edit(whole4, 28, 0x42),
		"control message of GUE":     edit(whole4, 28, 0x22),
		"length of GUE":              edit(whole4, 28, 5),
		"flags of GUE":               edit(whole4, 31, 1),
		"protocol within GUE":        edit(whole4, 29, 47),
		"other family within":        edit(whole4, 29, 41),
		"type of the chain":          edit(whole4, 32, 2),
		"chain not zero":             edit(whole4, 34, 1),
		"version within":             edit(whole4, 40, 0x65),
		"length within":              edit(whole4, 43, whole4[43]-1),
		"header length within":       edit(whole4, 40, 0x44),
		"header length beyond":       edit(whole4, 40, 0x4f),
		"GUE of IPv6 with IPv4":      edit(whole6, 48, 2),
		"type of the chain in IPv6":  edit(whole6, 52, 1),
		"length of the option":       edit(opt, 41, 3),
		"another option":             edit(opt, 42, 1),
		"data length of the option":  edit(opt, 43, 19),
		"version of the option":      edit(opt, 44, 2),
		"option not zero":            edit(opt, 46, 1),
		"protocol behind the option": edit(opt, 40, 17),
	}
	for name, packet := range tests {
		t.Run(name, func(t *testing.T) {
			if verdict, _, result := p.run(t, frame(packet)); verdict != xdpDrop || result != "malformed" {
				t.Errorf("verdict %d, result %q; want it dropped as malformed", verdict, result)
			}
		})
	}
	for _, whole := range [][]byte{whole4, whole6, opt, plain(lb4, self4, had), plain(lb6, self6, had)} {
		for n := range len(whole) {
			verdict, _, result := p.run(t, frame(whole)[:ethernet+n])
			if verdict == xdpTX || result != "" && result != "malformed" {
				t.Fatalf("the first %d bytes of %x: verdict %d, result %q", n, whole, verdict, result)
			}
		}
	}
	t.Run("hop limit", func(t *testing.T) {
		gone := gue(lb6, self6, 1, peer6, tcp(f4.new.client, f4.new.vip, ack))
		if verdict, _, result := p.run(t, frame(edit(gone, 7, 1))); verdict != xdpDrop || result != "hops" {
			t.Errorf("verdict %d, result %q; want it dropped by its hop limit", verdict, result)
		}
	})
}

// FuzzFrame proves that no frame makes the program do what it must not: a
// stranger's is never unwrapped nor sent on, whatever its bytes, and only what
// came wrapped by a node of the site changes at all.
func FuzzFrame(f *testing.F) {
	p := loaded(f)
	f4, f6 := families(f)[0], families(f)[1]
	for _, inner := range [][]byte{tcp(f4.had.client, f4.had.vip, ack), tcp(f6.new.client, f6.new.vip, ack)} {
		f.Add(frame(gue(lb4, self4, 1, peer4, inner)))
		f.Add(frame(gue(alien4, self4, 1, peer4, inner)))
		f.Add(frame(gue(lb6, self6, 1, peer6, inner)))
		f.Add(frame(option(lb6, self6, 1, peer6, inner)))
		f.Add(frame(plain(lb4, self4, inner)))
		f.Add(frame(plain(alien6, self6, inner)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < ethernet || len(in) > 3500 {
			return // no driver hands over such a frame
		}
		verdict, out, result := p.run(t, in)
		var src netip.Addr
		switch {
		case len(in) >= 34 && in[12] == 0x08 && in[13] == 0x00:
			src, _ = netip.AddrFromSlice(in[26:30])
		case len(in) >= 54 && in[12] == 0x86 && in[13] == 0xdd:
			src, _ = netip.AddrFromSlice(in[22:38])
		}
		known := src == lb4 || src == lb6 || src == peer4 || src == peer6 || src == self4 || src == self6
		if !known && (verdict != xdpPass || !bytes.Equal(in, out) || result != "" && result != "stranger") {
			t.Errorf("a stranger's frame %x: verdict %d, result %q, and comes out as %x", in, verdict, result, out)
		}
		if verdict != xdpPass && verdict != xdpDrop && (verdict != xdpTX || src == peer4 || src == peer6) {
			t.Errorf("frame %x: verdict %d", in, verdict)
		}
	})
}
