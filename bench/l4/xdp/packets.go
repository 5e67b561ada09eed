package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"

	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/l4/xdp/cost"
	"portico/spec"
)

const (
	ack, syn = 0x10, 0x02
	// hotFlows is how many flows come in turn where each is known.
	hotFlows = 1 << 12
	// runs of so many packets; the median counts.
	runs, each = 7, 1 << 18
	// newEach is how many new flows a run has: those of all runs fit, also into the
	// eighth of the default flow table that flows of IPv6 under NAT have.
	newEach = 1 << 14
)

var (
	vip4 = netip.MustParseAddrPort("198.18.0.10:80")
	vip6 = netip.MustParseAddrPort("[2001:db8::10]:80")
)

// way is one row: how packets of a family reach targets of one.
type way struct {
	forward spec.Forward
	v6      bool // the packet
	over6   bool // the targets' addresses
}

// ways are all that there are: within IPv6 alone, within IPv4 alone, and no NAT
// between families.
var ways = []way{
	{spec.ForwardGUE, false, false},
	{spec.ForwardGUE, true, false},
	{spec.ForwardGUE, false, true},
	{spec.ForwardGUE, true, true},
	{spec.ForwardIP6IP6, false, true},
	{spec.ForwardIP6IP6, true, true},
	{spec.ForwardIPIP, false, false},
	{spec.ForwardIPIP, true, false},
	{spec.ForwardNAT, false, false},
	{spec.ForwardNAT, true, true},
	{spec.ForwardDSR, false, false},
	{spec.ForwardDSR, true, true},
}

// kind is one column.
type kind int

const (
	hot     kind = iota // every flow is known
	fresh               // none is
	forgets             // none is remembered; not under NAT, which cannot do without
)

var kinds = []kind{hot, fresh, forgets}

// learns is how many flows the kernel learns in all runs of a kind.
func (k kind) learns() uint64 {
	return [...]uint64{hot: hotFlows, fresh: runs * newEach, forgets: 0}[k]
}

// packets measures every way, and returns the lines of those that stand for all.
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
	if bare.Instructions == 0 {
		_, _ = fmt.Fprintln(out, "this machine has no counter of instructions")
	}
	const row = "%-8s %-8s %12s %12s %12s\n"
	_, _ = fmt.Fprintf(out, row, "ns/instr", "", "hot flow", "new flow", "no table")
	_, _ = fmt.Fprintf(out, row, "bare tx", "", cell(bare), "", "")
	for _, w := range ways {
		var cells [3]string
		for _, k := range kinds {
			if k == forgets && w.forward == spec.ForwardNAT {
				continue
			}
			r, err := w.measure(meter, k)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", w.forward, w.families(), err)
			}
			cells[k] = cell(r)
			switch {
			case w == way{forward: spec.ForwardGUE} && k == hot:
				last = append(last, fmt.Sprintf("l4 xdp gue hot: ns=%d instr=%s bare-tx=%d", r.Time.Nanoseconds(), instr(r), bare.Time.Nanoseconds()))
			case w == way{forward: spec.ForwardNAT} && k == fresh:
				last = append(last, fmt.Sprintf("l4 xdp nat new: ns=%d instr=%s", r.Time.Nanoseconds(), instr(r)))
			}
		}
		_, _ = fmt.Fprintf(out, row, w.forward, w.families(), cells[hot], cells[fresh], cells[forgets])
	}
	return last, nil
}

// families are that of the packet and, where it is another, that of the way.
func (w way) families() string {
	name := map[bool]string{false: "v4", true: "v6"}
	if w.v6 == w.over6 {
		return name[w.v6]
	}
	return name[w.v6] + " in " + name[w.over6]
}

func cell(r cost.Reading) string {
	return fmt.Sprintf("%d/%s", r.Time.Nanoseconds(), instr(r))
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
func (w way) measure(meter *cost.Meter, kind kind) (cost.Reading, error) {
	k, err := xdp.Open(xdp.KernelOptions{})
	if err != nil {
		return cost.Reading{}, err
	}
	defer func() { _ = k.Close() }()
	if err := k.Apply(w.plan(kind)); err != nil {
		return cost.Reading{}, err
	}
	s := cost.Shape{VIP: vip4, Flags: ack, Flows: hotFlows}
	if w.v6 {
		s.VIP = vip6
	}
	packets := each
	if kind == fresh {
		packets, s.Flows = newEach, newEach
		if w.forward == spec.ForwardNAT { // elsewhere a SYN is not learned
			s.Flags = syn
		}
	} else if _, err := meter.Kernel(k, s, 4*hotFlows); err != nil { // every flow becomes known
		return cost.Reading{}, err
	}
	r, err := median(func(i int) (cost.Reading, error) {
		if kind == fresh {
			s.First = i * packets
		}
		return meter.Kernel(k, s, packets)
	})
	if err != nil {
		return cost.Reading{}, err
	}
	return r, learned(k, kind.learns())
}

// learned fails unless the kernel learned so many flows: those that were to be new
// were, and those that were to be known were not learned again.
func learned(k *xdp.Kernel, want uint64) error {
	c, err := k.Counters()
	if err != nil {
		return err
	}
	if got := c.Listeners["bench"].Flows; got != want {
		return fmt.Errorf("%d flows were learned; want %d", got, want)
	}
	return nil
}

func (w way) plan(k kind) *xdp.Plan {
	gen := maglev.Generation{Number: 1}
	for i := range 16 {
		gen.Members = append(gen.Members, maglev.Member{Name: maglev.Name{Group: "g", Address: address(i, w.over6)}, Weight: 1, Share: 1})
	}
	table := tableOf(maglev.Build(gen, maglev.Generation{}))
	p := &xdp.Plan{
		Source4: netip.MustParseAddr("10.1.0.1"), Source6: netip.MustParseAddr("2001:db8:1::1"),
		NAT:       []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("2001:db8:1::1"), netip.MustParseAddr("2001:db8:1::2")},
		Listeners: []xdp.Listener{{Name: "bench", VIPs: []netip.AddrPort{vip4, vip6}, Proto: xdp.TCP, Forward: w.forward, Forgets: k == forgets, Table: table}},
	}
	for _, t := range table.Targets {
		p.Targets = append(p.Targets, xdp.Target{Address: t, MAC: []byte{2, 0, 0, 0, 0, 1}})
	}
	return p
}
