// Command xdp measures what a packet costs in the kernel, and what a table of slots
// costs to build and to swap. It needs root and nothing else: packets come from the
// kernel's own test run, so that figures are of the program alone.
//
// Its last lines are
//
//	l4 xdp gue hot: ns=N instr=N bare-tx=N
//	l4 xdp nat new: ns=N instr=N
//	l4 maglev 4096 targets: build=… swap=… moved=…%
package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/l4/xdp/cost"
	"portico/spec"
)

func main() {
	if err := bench(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench/l4/xdp:", err)
		os.Exit(1)
	}
}

func bench(out io.Writer) error {
	lines, err := packets(out)
	if err != nil {
		return err
	}
	line, err := tables(out)
	if err != nil {
		return err
	}
	for _, l := range append(lines, line) {
		_, _ = fmt.Fprintln(out, l)
	}
	return nil
}

const (
	ack, syn = 0x10, 0x02
	// hotFlows is how many flows come in turn where each is known.
	hotFlows = 1 << 12
	// runs of so many packets; the median counts.
	runs, each = 7, 1 << 18
	// newEach is how many new flows a run has: all of them fit.
	newEach = 1 << 16
	// flowsMax is the room of the flow table; NAT has a quarter of it.
	flowsMax = 2_000_000
)

var (
	vip4 = netip.MustParseAddrPort("198.18.0.10:80")
	vip6 = netip.MustParseAddrPort("[2001:db8::10]:80")
)

// arm is one thing that is measured.
type arm struct {
	name    string
	forward spec.Forward
	v6      bool // the packet
	over6   bool // the way to targets
	kind    kind
}

type kind int

const (
	hot     kind = iota // every flow is known
	fresh               // none is
	forgets             // none is remembered
)

var arms = []arm{
	{"gue hot", spec.ForwardGUE, false, false, hot},
	{"gue new", spec.ForwardGUE, false, false, fresh},
	{"gue no flow table", spec.ForwardGUE, false, false, forgets},
	{"gue v6 hot", spec.ForwardGUE, true, false, hot},
	{"gue over v6 hot", spec.ForwardGUE, false, true, hot},
	{"gue v6 over v6 hot", spec.ForwardGUE, true, true, hot},
	{"ip6ip6 hot", spec.ForwardIP6IP6, false, true, hot},
	{"ip6ip6 v6 hot", spec.ForwardIP6IP6, true, true, hot},
	{"ipip hot", spec.ForwardIPIP, false, false, hot},
	{"dsr hot", spec.ForwardDSR, false, false, hot},
	{"nat hot", spec.ForwardNAT, false, false, hot},
	{"nat new", spec.ForwardNAT, false, false, fresh},
	{"nat v6 hot", spec.ForwardNAT, true, true, hot},
	{"nat v6 new", spec.ForwardNAT, true, true, fresh},
}

// packets measures every arm, and returns the lines that the issue asks for.
func packets(out io.Writer) (last []string, err error) {
	meter, err := cost.NewMeter()
	if err != nil {
		return nil, err
	}
	defer func() { _ = meter.Close() }()
	bare, err := median(func(int) (cost.Reading, error) {
		return meter.Bare(cost.Shape{VIP: vip4, Flags: ack, Flows: hotFlows}, each)
	})
	if err != nil {
		return nil, err
	}
	_, _ = fmt.Fprintf(out, "%-20s %6s %6s\n%-20s %6d %6s\n", "packet", "ns", "instr", "bare tx", bare.Time.Nanoseconds(), instr(bare))
	for _, a := range arms {
		r, err := a.measure(meter)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		_, _ = fmt.Fprintf(out, "%-20s %6d %6s\n", a.name, r.Time.Nanoseconds(), instr(r))
		switch a.name {
		case "gue hot":
			last = append(last, fmt.Sprintf("l4 xdp gue hot: ns=%d instr=%s bare-tx=%d", r.Time.Nanoseconds(), instr(r), bare.Time.Nanoseconds()))
		case "nat new":
			last = append(last, fmt.Sprintf("l4 xdp nat new: ns=%d instr=%s", r.Time.Nanoseconds(), instr(r)))
		}
	}
	return last, nil
}

func instr(r cost.Reading) string {
	if r.Instructions == 0 {
		return "n/a"
	}
	return fmt.Sprintf("%.0f", r.Instructions)
}

// median runs something several times.
func median(run func(i int) (cost.Reading, error)) (cost.Reading, error) {
	all := make([]cost.Reading, runs)
	for i := range all {
		var err error
		if all[i], err = run(i); err != nil {
			return cost.Reading{}, err
		}
		if all[i].Verdict != 3 { // XDP_TX
			return cost.Reading{}, fmt.Errorf("packets came to verdict %d", all[i].Verdict)
		}
	}
	slices.SortFunc(all, func(a, b cost.Reading) int { return int(a.Time - b.Time) })
	return all[len(all)/2], nil
}

// measure loads the program anew and runs packets through it.
func (a arm) measure(meter *cost.Meter) (cost.Reading, error) {
	k, err := xdp.Open(xdp.KernelOptions{Flows: flowsMax})
	if err != nil {
		return cost.Reading{}, err
	}
	defer func() { _ = k.Close() }()
	if err := k.Apply(a.plan()); err != nil {
		return cost.Reading{}, err
	}
	s := cost.Shape{VIP: vip4, Flags: ack, Flows: hotFlows}
	if a.v6 {
		s.VIP = vip6
	}
	packets := each
	if a.kind == fresh {
		packets = newEach
		s.Flows = packets
		if a.forward == spec.ForwardNAT {
			s.Flags = syn
		}
	} else if _, err := meter.Kernel(k, s, 4*hotFlows); err != nil { // every flow becomes known
		return cost.Reading{}, err
	}
	return median(func(i int) (cost.Reading, error) {
		if a.kind == fresh {
			s.First = i * packets
		}
		return meter.Kernel(k, s, packets)
	})
}

func (a arm) plan() *xdp.Plan {
	port := uint16(80)
	gen := maglev.Generation{Number: 1}
	for i := range 16 {
		gen.Members = append(gen.Members, maglev.Member{Name: maglev.Name{Group: "g", Address: address(i, a.over6, port)}, Weight: 1, Share: 1})
	}
	table := tableOf(maglev.Build(gen, maglev.Generation{}))
	p := &xdp.Plan{
		Source4: netip.MustParseAddr("10.1.0.1"), Source6: netip.MustParseAddr("2001:db8:1::1"),
		NAT:       []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:1::2")},
		Listeners: []xdp.Listener{{Name: "bench", VIPs: []netip.AddrPort{vip4, vip6}, Proto: xdp.TCP, Forward: a.forward, Forgets: a.kind == forgets, Table: table}},
	}
	for _, t := range table.Targets {
		p.Targets = append(p.Targets, xdp.Target{Address: t, MAC: []byte{2, 0, 0, 0, 0, 1}})
	}
	return p
}

func address(i int, v6 bool, port uint16) netip.AddrPort {
	if v6 {
		a := netip.MustParseAddr("2001:db8:1::").As16()
		a[14], a[15] = byte(i>>8), byte(i)
		return netip.AddrPortFrom(netip.AddrFrom16(a), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), port)
}

func tableOf(t *maglev.Table) *xdp.Table {
	made := &xdp.Table{}
	for _, n := range t.Names {
		made.Targets = append(made.Targets, n.Address)
	}
	for _, s := range t.Slots {
		made.Slots = append(made.Slots, uint32(s))
	}
	return made
}

// tables measures building a table of so many targets when one has left, and giving
// it to the kernel, all that the kernel does included.
func tables(out io.Writer) (last string, err error) {
	k, err := xdp.Open(xdp.KernelOptions{Flows: 1024})
	if err != nil {
		return "", err
	}
	defer func() { _ = k.Close() }()
	for _, n := range []int{16, 256, 4096} {
		before := maglev.Generation{Number: 1}
		for i := range n {
			before.Members = append(before.Members, maglev.Member{Name: maglev.Name{Group: "g", Address: address(i, false, 80)}, Weight: 1, Share: 1})
		}
		now := maglev.Generation{Number: 2, Members: before.Members[1:]}
		listener := xdp.Listener{Name: "bench", VIPs: []netip.AddrPort{vip4}, Proto: xdp.TCP, Forward: spec.ForwardGUE, Table: tableOf(maglev.Build(before, maglev.Generation{}))}
		if err := k.Apply(&xdp.Plan{Listeners: []xdp.Listener{listener}}); err != nil {
			return "", err
		}
		start := time.Now()
		made := maglev.Build(now, before)
		build := time.Since(start)
		listener.Table = tableOf(made)
		start = time.Now()
		if err := k.Apply(&xdp.Plan{Listeners: []xdp.Listener{listener}}); err != nil {
			return "", err
		}
		swap := time.Since(start)
		last = fmt.Sprintf("l4 maglev %d targets: build=%v swap=%v moved=%.2f%%", n,
			build.Round(10*time.Microsecond), swap.Round(10*time.Microsecond), 100*float64(made.Moved())/maglev.Slots)
		if n < 4096 {
			_, _ = fmt.Fprintln(out, last)
		}
	}
	return last, nil
}
