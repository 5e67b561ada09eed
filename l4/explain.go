package l4

import (
	"fmt"

	"portico/spec/status"
)

// Explain is Decide with its reasons: the same choice from the same tables, but
// one that leaves no trace, so that a balance that takes turns is where it was.
func Explain(f Flow, table *Table, groups Groups) (Decision, []status.Line) {
	d := place(f, table, groups)
	if d.Listener == nil {
		return d, nil
	}
	lines := []status.Line{
		{Text: fmt.Sprintf("listener %q on %s", d.Listener.Name, f.VIP)},
		{Text: fmt.Sprintf("flow from %s, key %016x", f.Client, f.Key())},
	}
	for i := range d.Listener.Shares {
		lines = append(lines, d.explainShare(&d.Listener.Shares[i]))
	}
	if d.Group == nil {
		return d, lines
	}
	chosen, why := d.Group.Explain(f.query(), 0)
	if d.Target = chosen; chosen == nil {
		d.Why = NoTarget
	}
	return d, append(lines, why...)
}

// explainShare says whether the flow falls to a group, and why.
func (d Decision) explainShare(s *Share) status.Line {
	line := status.Line{Mark: "-", Depth: 1, Text: fmt.Sprintf("target group %q, weight %d of %d", s.Group, s.Weight, d.Listener.weights)}
	switch {
	case s == d.Share && d.Group == nil:
		line.Text += ": the flow's key falls to it, but this node has no such group"
	case s == d.Share:
		line.Mark = "+"
		line.Text += ": the flow's key falls to it"
	case s.Weight == 0:
		line.Text += ": takes nothing new"
	default:
		line.Text += ": the flow's key falls to another"
	}
	if s.Proxy {
		line.Text += "; told of the client by PROXY v2"
	}
	return line
}
