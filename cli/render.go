package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"portico/internal/clock"
	"portico/spec/status"
)

// writeStatus renders the views of several nodes as one.
func writeStatus(w widthWriter, nodes []status.Node, all bool) error {
	sections := []table{nodeTable(nodes), recordTable(nodes), vipTable(nodes), peerTable(nodes), groupTable(nodes, all), listenerTable(nodes), uplinkTable(nodes), unwrapTable(nodes)}
	for i, t := range sections {
		if len(t.rows) == 0 {
			continue
		}
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

func nodeTable(nodes []status.Node) table {
	t := table{head: []string{"NODE", "SITE", "ROLES", "STATE", "SPEC", "SINCE"}}
	for _, n := range nodes {
		roles := make([]string, len(n.Roles))
		for i, r := range n.Roles {
			roles[i] = string(r)
		}
		t.add(string(n.Name), string(n.Site), strings.Join(roles, ","), n.State, fmt.Sprint(n.Generation), ago(n.Started))
		if b := n.Buffers; b != nil && b.Most > 0 && b.Held >= b.Most/2 {
			t.note(fmt.Sprintf("buffers hold %d of %d MiB: requests of low priority are turned away from 70 percent on", b.Held>>20, b.Most>>20))
		}
	}
	return t
}

// recordTable shows what each name is answered with, a row a site. DNS nodes
// decide alone, so where their views differ each is shown, and who has it.
func recordTable(nodes []status.Node) table {
	t := table{head: []string{"NAME", "POLICY", "SITE", "ADDRESSES", "WEIGHT", "VERDICT", "ANSWERED", "SEEN BY"}, right: 4, rightTo: 5}
	seenBy := map[string]int{} // a view of a record, to its first row
	names := map[string]bool{}
	for _, n := range nodes {
		for _, r := range n.Records {
			rows := siteRows(r)
			key := fmt.Sprint(rows)
			if at, ok := seenBy[key]; ok {
				t.rows[at][7] += " " + string(n.Name)
				continue
			}
			seenBy[key] = len(t.rows)
			t.rows = append(t.rows, rows...)
			t.rows[seenBy[key]][7] = string(n.Name)
			names[r.Name] = true
		}
	}
	if len(seenBy) == len(names) {
		t.dropLast()
	}
	return t
}

func siteRows(r status.Record) [][]string {
	rows := make([][]string, 0, len(r.Sites))
	for i, s := range r.Sites {
		var addrs []string
		for _, a := range s.Addresses {
			addrs = append(addrs, a.String())
		}
		answered := "no"
		if s.Used {
			answered = "yes"
		}
		if s.Used && r.Mode != "healthy" {
			answered += ", " + r.Mode
		}
		row := []string{"", "", string(s.Site), strings.Join(addrs, " "), fmt.Sprint(s.Weight), s.Verdict.String(), answered, ""}
		if i == 0 {
			row[0], row[1] = r.Name, r.Policy
		}
		rows = append(rows, row)
	}
	return rows
}

func listenerTable(nodes []status.Node) table {
	t := table{head: []string{"LISTENER", "TIER", "NODE", "ADDRESS", "ACTIVE", "TOTAL", "FAILED"}, right: 4}
	for _, n := range nodes {
		for _, l := range n.Listeners {
			t.add(l.Name, string(l.Tier), string(n.Name), l.Address.String(), fmt.Sprint(l.Active), fmt.Sprint(l.Total), fmt.Sprint(l.Failed))
			t.note(slotsNote(l.Slots))
			t.note(kernelNote(l.Kernel))
		}
	}
	return t
}

// kernelNote says what an operator should know of a listener that the kernel carries.
func kernelNote(k *status.Kernel) string {
	if k == nil {
		return ""
	}
	note := fmt.Sprintf("carried in the kernel, forward: %s; %d packets", k.Forward, k.Packets)
	if k.Unlearned > 0 {
		note += fmt.Sprintf("; %d of them were placed by hash alone, for the flow table had no room or too many flows began at once", k.Unlearned)
	}
	if lost := resultsNote(k.Drops); lost != "" {
		note += "; dropped: " + lost
	}
	return note
}

// slotsNote says what an operator should know of a table of slots: of one in which
// every flow is where it was there is nothing to say.
func slotsNote(s *status.Slots) string {
	if s == nil {
		return ""
	}
	var parts []string
	switch {
	case s.From != "":
		parts = append(parts, fmt.Sprintf("generation %d: node %s sends flows to other targets, where they have a second chance until %s", s.Generation, s.From, s.Until.Format(time.TimeOnly)))
	case !s.Until.IsZero():
		parts = append(parts, fmt.Sprintf("generation %d: flows of the one before have a second chance until %s", s.Generation, s.Until.Format(time.TimeOnly)))
	}
	if s.Waits {
		parts = append(parts, "a change of targets waits until then")
	}
	if s.AtRisk > 0 {
		parts = append(parts, fmt.Sprintf("flows of %d slots were put at risk since start", s.AtRisk))
	}
	return strings.Join(parts, "; ")
}

// view is one target as all nodes of its site see it.
type view struct {
	group, mode string
	target      status.Target
	nodes       int
	agree       int
	waiting     int // for any target of the group, at its first
}

func groupTable(nodes []status.Node, all bool) table {
	t := table{head: []string{"GROUP", "TARGET", "ADDRESS", "VERDICT", "FOR", "WEIGHT", "ACTIVE", "TOTAL"}, right: 4}
	for _, v := range views(nodes, all) {
		verdict := v.target.Verdict.String()
		if v.agree < v.nodes {
			verdict += fmt.Sprintf(" (%d of %d)", v.agree, v.nodes)
		}
		weight := fmt.Sprint(v.target.Weight)
		if v.target.Drain {
			weight = "drain"
		}
		t.add(v.group, v.target.Label, v.target.Address.String(), verdict, ago(v.target.Since), weight,
			fmt.Sprint(v.target.Active), fmt.Sprint(v.target.Total))
		t.note(v.why())
	}
	return t
}

// why says what an operator should know of a target, in a line of its own below
// it; of one that is as it should be there is nothing to say.
func (v *view) why() string {
	var parts []string
	if v.agree < v.nodes || v.target.Verdict != status.Healthy && v.mode != "unchecked" {
		parts = append(parts, v.target.Reason)
	}
	if v.mode != "healthy" && v.mode != "unchecked" {
		parts = append(parts, "group is "+v.mode)
	}
	if e := v.target.Ejection; e != nil && e.Phase != "in" {
		parts = append(parts, e.Phase+": "+e.Reason)
	}
	if v.waiting > 0 {
		parts = append(parts, fmt.Sprintf("group is at its limits, %d wait", v.waiting))
	}
	return strings.Join(parts, "; ")
}

// merge adds what another node sees of the target.
func (v *view) merge(target status.Target) {
	v.nodes++
	v.target.Active += target.Active
	v.target.Total += target.Total
	if target.Verdict == v.target.Verdict {
		v.agree++
	}
}

func views(nodes []status.Node, all bool) []*view {
	type key struct {
		group   string
		address netip.AddrPort
	}
	index := map[key]*view{}
	var order []*view
	for _, n := range nodes {
		for _, g := range n.Groups {
			if strings.Contains(string(g.Name), ":") && !all {
				continue
			}
			for i, target := range g.Targets {
				k := key{string(g.Name), target.Address.AddrPort}
				v := index[k]
				if v == nil {
					v = &view{group: string(g.Name), mode: g.Mode, target: target, nodes: 1, agree: 1}
					index[k] = v
					order = append(order, v)
				} else {
					v.merge(target)
				}
				if i == 0 && g.Queue != nil {
					v.waiting += g.Queue.Length
				}
			}
		}
	}
	slices.SortStableFunc(order, func(a, b *view) int { return strings.Compare(a.group, b.group) })
	return order
}

// ago is a short span of time up to now; a time that never was is a dash.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := clock.Now().Sub(t).Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// table is text in columns.
type table struct {
	head []string
	rows [][]string
	// right is the first column that is set flush right, and rightTo the one
	// after the last; zero means none, and to the end.
	right, rightTo int
	notes          map[int]string // below a row
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// note puts a line below the last row; an empty one is left out.
func (t *table) note(text string) {
	if text == "" {
		return
	}
	if t.notes == nil {
		t.notes = map[int]string{}
	}
	t.notes[len(t.rows)-1] = text
}

// dropLast leaves the last column out.
func (t *table) dropLast() {
	last := len(t.head) - 1
	t.head = t.head[:last]
	for i := range t.rows {
		t.rows[i] = t.rows[i][:last]
	}
}

// write sets the columns as wide as they need and cuts the last at the width.
func (t *table) write(w widthWriter) error {
	wide := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	for at, row := range append([][]string{t.head}, t.rows...) {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", wide[i]-utf8.RuneCountInString(cell))
			if t.flushRight(i) {
				cell = pad + cell
			} else {
				cell += pad
			}
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(cell)
		}
		if _, err := fmt.Fprintln(w, cut(strings.TrimRight(b.String(), " "), w.width)); err != nil {
			return err
		}
		if note := t.notes[at-1]; note != "" {
			if _, err := fmt.Fprintln(w, cut(strings.Repeat(" ", wide[0])+"  └ "+note, w.width)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) flushRight(i int) bool {
	return t.right > 0 && i >= t.right && (t.rightTo == 0 || i < t.rightTo)
}

// cut shortens a line to a number of columns and marks that it did.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	if width < 1 {
		return ""
	}
	return string([]rune(line)[:width-1]) + "…"
}
