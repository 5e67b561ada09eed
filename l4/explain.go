package l4

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"portico/l4/maglev"
	"portico/spec/status"
)

// FlowOf is the flow that a question is about: of UDP where its URL says udp, else of TCP.
func FlowOf(q status.Question) Flow {
	f := Flow{Client: netip.AddrPortFrom(q.From.Unmap(), q.Flow), VIP: q.VIP}
	if scheme, _, _ := strings.Cut(q.URL, "://"); strings.EqualFold(scheme, "udp") {
		f.Proto = UDP
	}
	return f
}

// Explain is Decide with its reasons: the same choice from the same tables, but
// one that leaves no trace, so that a balance that takes turns is where it was.
func Explain(f Flow, table *Table, groups Groups) (Decision, []status.Line) {
	d := place(f, table, groups)
	if d.Listener == nil {
		return d, nil
	}
	lines := []status.Line{
		{Text: fmt.Sprintf("listener %q on %s", d.Listener.Name, f.VIP)},
		d.explainKey(f),
	}
	for i := range d.Listener.Shares {
		lines = append(lines, d.explainShare(&d.Listener.Shares[i]))
	}
	switch {
	case d.Group == nil:
		return d, lines
	case d.Target != nil && d.slots == nil:
		return d, append(lines, d.Group.ExplainPlaced(d.Target, "is named by the connection id")...)
	case d.Target != nil:
		return d, append(lines, d.Group.ExplainPlaced(d.Target, "owns the flow's slot")...)
	}
	chosen, why := d.Group.Explain(f.query(), 0)
	if d.Target = chosen; chosen == nil {
		d.Why = NoTarget
	}
	return d, append(lines, why...)
}

// explainKey says what the flow is placed by.
func (d Decision) explainKey(f Flow) status.Line {
	if d.slots == nil {
		return status.Line{Text: fmt.Sprintf("flow from %s, key %016x", f.Client, f.Key())}
	}
	at := maglev.At(d.hash)
	text := fmt.Sprintf("flow from %s, hash %08x: slot %d of %d, generation %d", f.Client, d.hash, at, maglev.Slots, d.slots.Generation)
	if past := d.slots.Name(d.slots.Slots[at].Secondary()); past != nil {
		who := "the owner before"
		if d.slots.From != "" {
			who = "the owner at node " + string(d.slots.From)
		}
		text += fmt.Sprintf("; second chance: %s, %s, until %s", past.Address, who, d.slots.Until.Format(time.TimeOnly))
	}
	return status.Line{Text: text}
}

// explainShare says whether the flow falls to a group, and why.
func (d Decision) explainShare(s *Share) status.Line {
	by := "key"
	if d.slots != nil {
		by = "slot"
	}
	line := status.Line{Mark: "-", Depth: 1, Text: fmt.Sprintf("target group %q, weight %d of %d", s.Group, s.Weight, d.Listener.weights)}
	switch {
	case s == d.Share && d.Group == nil:
		line.Text += ": the flow's " + by + " falls to it, but this node has no such group"
	case s == d.Share:
		line.Mark = "+"
		line.Text += ": the flow's " + by + " falls to it"
	case s.Weight == 0:
		line.Text += ": takes nothing new"
	default:
		line.Text += ": the flow's " + by + " falls to another"
	}
	if s.Proxy != "" {
		line.Text += "; told of the client by PROXY " + string(s.Proxy)
	}
	return line
}
