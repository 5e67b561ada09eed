//go:build !race

// The race detector empties sync.Pools at random.

package l7

import (
	"testing"

	"portico/spec"
)

// A request passes the handler without an allocation, with every feature in use.
func TestHandlerAllocates(t *testing.T) {
	for name, rule := range map[string]spec.Rule{"plain": plainRule, "busy": busyRule} {
		p := newPlayer(t, rule)
		for range 100 {
			p.play(0) // memory grows
		}
		if n := testing.AllocsPerRun(500, func() { p.play(1) }); n >= 1 {
			t.Errorf("%s: a request allocates %v times", name, n)
		}
	}
}
