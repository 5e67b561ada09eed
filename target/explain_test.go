package target_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"portico/spec"
	"portico/spec/status"
	"portico/target"
	"portico/target/balance"
)

// render draws lines as a command line would.
func render(lines []status.Line) string {
	var b strings.Builder
	for _, l := range lines {
		mark := l.Mark
		if mark == "" {
			mark = " "
		}
		b.WriteString(mark + " " + strings.Repeat("  ", l.Depth) + l.Text + "\n")
	}
	return b.String()
}

// TestExplain proves what is told of each target, and why one is chosen.
func TestExplain(t *testing.T) {
	fifth := func(g *spec.TargetGroup) { g.Targets[4].Name = "" }
	tests := []struct {
		name   string
		group  spec.TargetGroup
		refuse []int
		resume int // host; 0 is none
		want   string
	}{
		{"all sorts", web(5, drain(2), weight(3, 0), weight(1, 7), fifth), []int{4, 5}, 0, `
  target group "web": balance round-robin, 1 of 5 targets are used
+   t1: healthy (check passed), weight 7, 2 in flight: its turn
-   t2: healthy (check passed), weight 1, 0 in flight: draining, nothing new
-   t3: healthy (check passed), weight 0, 0 in flight: weight 0, nothing new
-   t4: unhealthy (connect refused), weight 1, 0 in flight: not used while it is unhealthy
-   10.0.0.5:80: unhealthy (connect refused), weight 1, 0 in flight: not used while it is unhealthy
`},
		{"back to where it was", web(2, drain(2)), nil, 2, `
  target group "web": balance round-robin, 1 of 2 targets are used
    t1: healthy (check passed), weight 1, 2 in flight
+   t2: healthy (check passed), weight 1, 0 in flight: it was chosen before
`},
		{"what it was is unhealthy", web(2), []int{2}, 2, `
  target group "web": balance round-robin, 1 of 2 targets are used
  the target chosen before is gone or unhealthy: pick again
+   t1: healthy (check passed), weight 1, 2 in flight: its turn
-   t2: unhealthy (connect refused), weight 1, 0 in flight: not used while it is unhealthy
`},
		{"fail open", web(1, balanced("maglev")), []int{1}, 0, `
  target group "web": balance maglev, all are unhealthy: fail open, all are used
+   t1: unhealthy (connect refused), weight 1, 2 in flight: holds the key's slot 0, and 65537 of 65537
`},
		{"fail", web(1, failClosed), []int{1}, 0, `
  target group "web": balance round-robin, all are unhealthy: none is used, as whenNoneHealthy is fail
-   t1: unhealthy (connect refused), weight 1, 2 in flight: not used while it is unhealthy
`},
		{"all drain", web(1, drain(1)), nil, 0, `
  target group "web": balance round-robin, all drain or have weight 0: none is used
-   t1: healthy (check passed), weight 1, 2 in flight: draining, nothing new
`},
		{"one is full", web(2, limited(2, 3)), nil, 0, `
  target group "web": balance round-robin, 2 of 2 targets are used
-   t1: healthy (check passed), weight 1, 2 in flight: at its limit of 2
+   t2: healthy (check passed), weight 1, 0 in flight: its turn
`},
		{"all are full", web(1, limited(2, 3)), nil, 0, `
  target group "web": balance round-robin, 1 of 1 targets are used
  each is at its limit: it would wait behind 0 others
-   t1: healthy (check passed), weight 1, 2 in flight: at its limit of 2
`},
		{"no check", web(1, unchecked), nil, 0, `
  target group "web": balance round-robin, no health check: targets are trusted as they are listed
+   t1: unknown (no health check), weight 1, 2 in flight: its turn
`},
		{"no targets", web(0), nil, 0, `
  target group "web": balance round-robin, it has no targets
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork()
			n.set("refuse", tt.refuse...)
			synctest.Test(t, func(t *testing.T) {
				ts := running(t, target.Options{Dial: n.dial})
				apply(t, ts, tt.group)
				pass(500 * time.Millisecond)
				g, resume := ts.Group("web"), uint64(0)
				if len(tt.group.Targets) > 0 {
					find(t, ts, 1).Begin()
					find(t, ts, 1).Begin()
				}
				if tt.resume > 0 {
					resume = find(t, ts, tt.resume).ID()
				}
				chosen, lines := g.Explain(balance.Query{}, resume)
				if got := "\n" + render(lines); got != tt.want {
					t.Errorf("explained:%swant:%s", got, tt.want)
				}
				if (chosen != nil) != strings.Contains(tt.want, "\n+") {
					t.Errorf("chosen is %v", chosen)
				}
			})
		})
	}
}

// TestExplainIsPick proves that Explain names the target that Pick then takes,
// and that asking it changes nothing.
func TestExplainIsPick(t *testing.T) {
	for _, a := range balance.All() {
		ts := target.New(target.Options{})
		apply(t, ts, web(5, unchecked, balanced(a.Name), weight(2, 4)))
		g := ts.Group("web")
		for range 50 {
			q := query()
			g.Explain(query(), 0)
			told, _ := g.Explain(q, 0)
			if took := g.Pick(q, nil); took != told {
				t.Fatalf("%s: Explain says %s, Pick %s", a.Name, told.Label(), took.Label())
			}
		}
		for _, s := range g.Status().Targets {
			if s.Active != 0 || s.Total != 0 {
				t.Errorf("%s: %s has %d active of %d by being explained", a.Name, s.Label, s.Active, s.Total)
			}
		}
	}
}

// TestExplainBounded proves that of a huge group no more is said than a person
// reads, and still which target is chosen.
func TestExplainBounded(t *testing.T) {
	ts := target.New(target.Options{})
	apply(t, ts, web(1000, unchecked, balanced("random")))
	for range 20 {
		chosen, lines := ts.Group("web").Explain(query(), 0)
		if len(lines) > 210 || chosen == nil {
			t.Fatalf("%d lines, chosen %v", len(lines), chosen)
		}
		if said := render(lines); !strings.Contains(said, "+   "+chosen.Label()+":") || !strings.Contains(said, "more targets") {
			t.Errorf("explained:\n%s", said)
		}
	}
}

// TestExplainScores proves that what is told of targets is what the algorithm
// weighs, as words and for programs.
func TestExplainScores(t *testing.T) {
	ts := target.New(target.Options{})
	apply(t, ts, web(3, unchecked, balanced("least-conn"), weight(2, 2)))
	for i, n := range []int{2, 2, 3} {
		for range n {
			find(t, ts, i+1).Begin()
		}
	}
	chosen, lines := ts.Group("web").Explain(query(), 0)
	want := `
  target group "web": balance least-conn, no health check: targets are trusted as they are listed
    t1: unknown (no health check), weight 1, 2 in flight: 2 in flight for its weight
+   t2: unknown (no health check), weight 2, 2 in flight: 1 in flight for its weight
    t3: unknown (no health check), weight 1, 3 in flight: 3 in flight for its weight
`
	if got := "\n" + render(lines); got != want {
		t.Errorf("explained:%swant:%s", got, want)
	}
	for i, rank := range []float64{1, 0, 2} {
		c := lines[i+1].Candidate
		if c.Rank == nil || *c.Rank != rank || c.Chosen != (rank == 0) || c.Group != "web" || c.Address.AddrPort != addr(i+1) {
			t.Errorf("candidate %+v of %s, want rank %v", c, chosen.Label(), rank)
		}
	}
}

// TestExplainIsTake proves the same as TestExplainIsPick where targets are at
// their limit and the algorithm has to be asked again.
func TestExplainIsTake(t *testing.T) {
	for _, a := range balance.All() {
		for range 30 {
			ts := target.New(target.Options{})
			apply(t, ts, web(4, unchecked, balanced(a.Name), limited(2, 9)))
			g := ts.Group("web")
			for range 2 {
				find(t, ts, 1).Begin()
				find(t, ts, 3).Begin()
			}
			find(t, ts, 2).Begin()
			q := query()
			told, _ := g.Explain(q, 0)
			if took, _ := g.Take(q, nil); took != told {
				t.Fatalf("%s: Explain says %s, Take %s", a.Name, told.Label(), took.Label())
			}
		}
	}
}
