package exchange_test

import (
	"regexp"
	"testing"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
)

// TestWhys proves that every reason has a name of its own that suits a label.
func TestWhys(t *testing.T) {
	label := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, w := range outcome.Whys() {
		name := w.String()
		if !label.MatchString(name) || name == "unknown" || seen[name] {
			t.Errorf("reason %d is named %q", w, name)
		}
		seen[name] = true
	}
	if len(seen) == 0 || outcome.Whys()[0] != outcome.OK {
		t.Errorf("Whys() = %v", outcome.Whys())
	}
}

// TestSerial proves that requests of a connection are numbered and draw differently,
// and that nothing of one is left in the next.
func TestSerial(t *testing.T) {
	p := newPlayer(t, func(int) int { return 0 })
	draws := map[uint64]bool{}
	p.h.begin = func(d *exchange.Decision) {
		if d.Serial != len(draws) || !d.Begun || d.Client == nil || d.Target != nil || d.Fixed != nil ||
			len(d.Tried) != 0 || cap(d.Tried) < exchange.TargetsMax || len(d.Scratch) != 0 {
			t.Errorf("request %d begins with %+v", len(draws), d)
		}
		d.Tried = append(d.Tried, nil)
		d.Scratch = append(d.Scratch, "left"...)
		draws[d.Draw] = true
	}
	for range 5 {
		if err := p.step("client> GET /fixed HTTP/1.1|Host: x||"); err != nil {
			t.Fatal(err)
		}
	}
	if len(draws) != 5 {
		t.Errorf("five requests drew %d numbers", len(draws))
	}
}
