//go:build !race

// The race detector empties sync.Pools at random, of which package regexp has some.

package route_test

import "testing"

// Matching allocates nothing, in tables of any size and by any predicate.
func TestMatchAllocates(t *testing.T) {
	for _, n := range []int{1, 100} {
		table := big(t, n)
		for name, r := range asked() {
			if _, ok := table.Match(r); ok != (n == 100) { // memory grows
				t.Errorf("%d %s: Match = %v", n, name, ok)
			}
			if n := testing.AllocsPerRun(100, func() { table.Match(r) }); n != 0 {
				t.Errorf("Match by %s allocates %v times", name, n)
			}
		}
	}
}
