package cli

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"portico/internal/clock"
	"portico/spec"
	"portico/spec/status"
)

func target(label, addr string, v status.Verdict, active int64, reason string) status.Target {
	return status.Target{
		Label: label, Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort(addr)}, Weight: 1,
		Verdict: v, Active: active, Total: 10, Reason: reason, Since: clock.Now().Add(-90 * time.Second),
	}
}

// twoViews are two l7 nodes that disagree about one target.
func twoViews() []status.Node {
	node := func(name spec.NodeName, second status.Verdict) status.Node {
		return status.Node{
			Name: name, Site: "east", Roles: []spec.Role{spec.RoleL7}, State: "serving", Generation: 3,
			Started: clock.Now().Add(-2 * time.Hour),
			Groups: []status.Group{
				{Name: "shop", Mode: "healthy", Targets: []status.Target{
					target("shop-1", "10.0.0.1:80", status.Healthy, 2, "status 200"),
					target("shop-2", "10.0.0.2:80", second, 1, "connection refused"),
				}},
				{Name: "l7:443", Mode: "healthy", Targets: []status.Target{target("proxy", "10.0.0.9:443", status.Healthy, 0, "ready")}},
			},
			Records: []status.Record{{Name: "www.example.com", Policy: "weighted", Mode: "healthy", Sites: []status.RecordSite{
				{Site: "east", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Weight: 90, Verdict: status.Healthy, Used: true},
				{Site: "west", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.2")}, Weight: 10, Verdict: status.Unhealthy},
			}}},
		}
	}
	return []status.Node{node("l7-1", status.Unhealthy), node("l7-2", status.Healthy)}
}

func render(t *testing.T, width int, all bool) string {
	t.Helper()
	var b strings.Builder
	if err := writeStatus(widthWriter{&b, width}, twoViews(), all); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestStatusQueue proves that what waits at any node is told once for its group,
// and which target is ejected.
func TestStatusQueue(t *testing.T) {
	nodes := twoViews()
	for i := range nodes {
		nodes[i].Groups[0].Queue = &status.Queue{Length: 3, Max: 10}
	}
	nodes[0].Groups[0].Targets[1].Ejection = &status.Ejection{Phase: "ejected", Reason: "5 failures in a row: status 503"}
	var b strings.Builder
	if err := writeStatus(widthWriter{&b, 200}, nodes, false); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "group is at its limits, 6 wait"); n != 1 {
		t.Errorf("told %d times that 6 wait:\n%s", n, b.String())
	}
	if !strings.Contains(b.String(), "ejected: 5 failures in a row: status 503") {
		t.Errorf("not told that a target is ejected:\n%s", b.String())
	}
}

// TestSlotsNote proves what is said of a table: nothing where each flow is where it was.
func TestSlotsNote(t *testing.T) {
	until := time.Date(2026, 1, 1, 14, 5, 9, 0, time.UTC)
	for _, tt := range []struct {
		slots *status.Slots
		want  string
	}{
		{nil, ""},
		{&status.Slots{Generation: 12}, ""},
		{&status.Slots{Generation: 12, Until: until, Waits: true}, "generation 12: flows of the one before have a second chance until 14:05:09; a change of targets waits until then"},
		{&status.Slots{Generation: 12, Until: until, From: "edge-2"}, "generation 12: node edge-2 sends flows to other targets, where they have a second chance until 14:05:09"},
		{&status.Slots{Generation: 12, AtRisk: 3}, "flows of 3 slots were put at risk since start"},
	} {
		if got := slotsNote(tt.slots); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.slots, got, tt.want)
		}
	}
}

// TestStatusMerges proves that the views of several nodes are one table, that
// their counts add up, and that disagreement shows.
func TestStatusMerges(t *testing.T) {
	text := render(t, 200, false)
	for _, want := range []string{
		"l7-1  east  l7     serving  3     2h00m",
		"www.example.com  weighted  east  192.0.2.1      90  healthy    yes\n",
		"west  192.0.2.2      10  unhealthy  no\n",
		"shop   shop-1  10.0.0.1:80  healthy             1m30s       1       4     20\n",
		"unhealthy (1 of 2)  1m30s       1       2     20\n       └ connection refused\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("status lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "l7:443") {
		t.Errorf("implied groups are shown unasked:\n%s", text)
	}
	if text := render(t, 200, true); !strings.Contains(text, "l7:443") {
		t.Errorf("--all does not show implied groups:\n%s", text)
	}
	if n := strings.Count(text, "www.example.com"); n != 1 {
		t.Errorf("a name that both nodes see alike is shown %d times, want once:\n%s", n, text)
	}
}

// TestStatusFits proves that no line is wider than the terminal.
func TestStatusFits(t *testing.T) {
	for _, width := range []int{0, 1, 40, 60, 80, 120} {
		for line := range strings.SplitSeq(render(t, width, true), "\n") {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("at width %d a line has %d columns: %s", width, n, line)
			}
		}
	}
}

// TestAgo proves how spans of time are shown.
func TestAgo(t *testing.T) {
	for span, want := range map[time.Duration]string{
		3 * time.Second:                "3s",
		61 * time.Second:               "1m01s",
		3*time.Hour + 5*time.Minute:    "3h05m",
		50*time.Hour + 59*time.Second:  "50h00m",
		400 * time.Millisecond:         "0s",
		59*time.Minute + 1*time.Second: "59m01s",
	} {
		if got := ago(clock.Now().Add(-span)); got != want {
			t.Errorf("ago(%v) = %q, want %q", span, got, want)
		}
	}
}

// TestExplainText proves that a path is drawn tier by tier to where it ends.
func TestExplainText(t *testing.T) {
	answers := []status.Answer{
		{Tier: spec.RoleDNS, Node: "names", Result: "A 192.0.2.1", Lines: []status.Line{{Mark: "+", Text: "east"}, {Mark: "-", Depth: 1, Text: "west is unhealthy"}}},
		{Tier: spec.RoleL7, Node: "proxy", Result: "to shop-1", Next: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}},
	}
	var b strings.Builder
	if err := writeAnswers(widthWriter{&b, 200}, answers); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"dns  names\n", "+ east\n", "  - west is unhealthy\n", "l7   proxy\n", "▼\n10.0.0.1:80\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("explain lacks %q:\n%s", want, b.String())
		}
	}
}

// TestExplainFits proves that no line is wider than the terminal, that nothing is
// lost by it, and that what goes on stays beside the path.
func TestExplainFits(t *testing.T) {
	long := "target group \"web\": balance round-robin, 3 of 5 targets are used " + strings.Repeat("x", 90) + " end"
	answers := []status.Answer{{Tier: spec.RoleL7, Node: "proxy", Result: long, Lines: []status.Line{{Mark: "+", Depth: 3, Text: long}}}}
	for _, columns := range []int{40, 60, 80, 200, unbounded} {
		var b strings.Builder
		if err := writeAnswers(widthWriter{&b, columns}, answers); err != nil {
			t.Fatal(err)
		}
		var whole strings.Builder
		for line := range strings.SplitSeq(b.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > columns {
				t.Errorf("in %d columns a line has %d: %q", columns, n, line)
			}
			whole.WriteString(strings.TrimLeft(line, " │"))
		}
		if got, want := strings.ReplaceAll(whole.String(), " ", ""), strings.ReplaceAll(long, " ", ""); strings.Count(got, want) != 2 {
			t.Errorf("in %d columns the text is not whole:\n%s", columns, b.String())
		}
	}
}

// TestWrap proves where lines are broken.
func TestWrap(t *testing.T) {
	tests := []struct {
		text    string
		columns int
		want    []string
	}{
		{"", 10, []string{""}},
		{"one two", 10, []string{"one two"}},
		{"one two three", 10, []string{"one two", "  three"}},
		{"one two three four", 9, []string{"one two", "  three", "  four"}},
		{"abcdefghijklm", 6, []string{"abcdef", "  ghij", "  klm"}},
		{"äöü äöü", 4, []string{"äöü", "  äö", "  ü"}},
	}
	for _, tt := range tests {
		if got := wrap(tt.text, tt.columns); !slices.Equal(got, tt.want) {
			t.Errorf("wrap(%q, %d) = %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

// TestStatusShowsWhoDiffers proves that DNS nodes that answer differently are
// each shown, by name.
func TestStatusShowsWhoDiffers(t *testing.T) {
	nodes := twoViews()
	nodes[1].Records[0].Sites[1].Verdict = status.Healthy
	nodes[1].Records[0].Sites[1].Used = true
	var b strings.Builder
	if err := writeStatus(widthWriter{&b, 200}, nodes, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"SEEN BY", "yes       l7-1\n", "yes       l7-2\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("status lacks %q:\n%s", want, b.String())
		}
	}
}

// TestFit proves that a screen is never scrolled, and that what is left out is counted.
func TestFit(t *testing.T) {
	tests := []struct {
		height int
		want   string
	}{
		{100, "a\nb\nc\n"},
		{4, "a\nb\nc\n"},
		{3, "a\nb\n… 1 more lines"},
		{2, "a\n… 2 more lines"},
		{1, "… 3 more lines"},
	}
	for _, tt := range tests {
		if got := fit("a\nb\nc\n", tt.height); got != tt.want {
			t.Errorf("at height %d: %q, want %q", tt.height, got, tt.want)
		}
	}
}
