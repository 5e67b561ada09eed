package l7_test

import (
	"fmt"
	"slices"
	"testing"

	"portico/spec"
)

// A canary without a session: who has the same value stays in one group, through a
// new spec too, and when the canary grows clients move into it alone.
func TestSplit(t *testing.T) {
	main, canary := newTarget(t, "main"), newTarget(t, "canary")
	edit := func(s *spec.Spec, weight int) {
		s.TargetGroups = []spec.TargetGroup{group("main", main), group("canary", canary)}
		s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{{
			TargetGroups: []spec.GroupRef{{Name: "main", Weight: 90}, {Name: "canary", Weight: weight}},
			Split:        &spec.HashKey{Cookie: "uid"},
		}}}}
		s.Listeners[0].Routes = []spec.RouteName{"r"}
	}
	b := newBed(t, func(_ *bed, s *spec.Spec) { edit(s, 10) })
	const users = 60
	round := func() []string {
		c := b.dial()
		served := make([]string, users)
		for i := range served {
			for range 3 {
				got := c.do("GET / shop.test", fmt.Sprintf("Cookie: a=b; uid=%d", i)).seen(t).Target
				if served[i] != "" && served[i] != got {
					t.Fatalf("user %d was served by %s, and then by %s", i, served[i], got)
				}
				served[i] = got
			}
		}
		return served
	}
	before := round()
	grown := b.base()
	edit(grown, 60)
	b.mustApply(grown)
	after := round()
	moved := 0
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		if moved++; after[i] != "canary" {
			t.Errorf("user %d moved from %s to %s when the canary grew", i, before[i], after[i])
		}
	}
	if moved == 0 || !slices.Contains(before, "canary") || !slices.Contains(after, "main") {
		t.Errorf("%d of %d users moved: %v", moved, users, after)
	}
}
