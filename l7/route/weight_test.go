package route_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"portico/l7/route"
	"portico/spec"
)

// kept is the group of each key from 0 to n, by its name.
func kept(tb testing.TB, n int, groups ...spec.GroupRef) []spec.TargetGroupName {
	tb.Helper()
	r := compile(tb, &spec.Route{Name: "r", Rules: []spec.Rule{{TargetGroups: groups}}}).Rules()[0]
	rng := rand.New(rand.NewPCG(3, 4)) // keys are hashes
	names := make([]spec.TargetGroupName, n)
	for i := range names {
		if g := r.Keep(rng.Uint64()); g >= 0 {
			names[i] = groups[g].Name
		}
	}
	return names
}

func share(names []spec.TargetGroupName, of spec.TargetGroupName) float64 {
	n := 0
	for _, name := range names {
		if name == of {
			n++
		}
	}
	return float64(n) / float64(len(names))
}

// Keys follow the weights as closely as chance lets them.
func TestKeepShares(t *testing.T) {
	const n = 100_000
	for _, weights := range [][]int{{90, 10}, {1, 1}, {99, 1}, {5, 3, 2}, {1, 0, 1}, {65535, 1}} {
		var groups []spec.GroupRef
		sum := 0
		for i, w := range weights {
			groups = append(groups, spec.GroupRef{Name: spec.TargetGroupName(fmt.Sprint("g", i)), Weight: w})
			sum += w
		}
		names := kept(t, n, groups...)
		for i, w := range weights {
			want := float64(w) / float64(sum)
			if got := share(names, groups[i].Name); got < want-0.006 || got > want+0.006 || w == 0 && got > 0 {
				t.Errorf("weights %v: group %d keeps %.4f of keys, want %.4f", weights, i, got, want)
			}
		}
	}
	for _, name := range kept(t, 100, spec.GroupRef{Name: "off"}) {
		if name != "" {
			t.Errorf("a group without weight keeps a key: %q", name)
		}
	}
	if got := kept(t, 10); share(got, "") != 1 {
		t.Errorf("no groups keep %v", got)
	}
}

// A key stays in its group whatever becomes of the order of groups; when a weight
// grows keys move to that group alone, when it shrinks from that group alone, and
// so they do when a group comes or goes.
func TestKeepMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var groups []spec.GroupRef
		for i := range rapid.IntRange(2, 5).Draw(t, "groups") {
			groups = append(groups, spec.GroupRef{Name: spec.TargetGroupName(fmt.Sprint("g", i)), Weight: rapid.IntRange(0, 100).Draw(t, "weight")})
		}
		canary := rapid.IntRange(0, len(groups)-1).Draw(t, "canary")
		after := append([]spec.GroupRef{}, groups...)
		after[canary].Weight += rapid.IntRange(1, 100).Draw(t, "more")
		shuffled := rapid.Permutation(after).Draw(t, "order")
		tables := make([]*route.Rule, 3)
		for i, list := range [][]spec.GroupRef{groups, after, shuffled} {
			table, err := route.Compile([]*spec.Route{{Name: "r", Rules: []spec.Rule{{TargetGroups: list}}}})
			if err != nil {
				t.Fatal(err)
			}
			tables[i] = table.Rules()[0]
		}
		name := func(i int, key uint64) spec.TargetGroupName {
			if g := tables[i].Keep(key); g >= 0 {
				return tables[i].Spec.TargetGroups[g].Name
			}
			return ""
		}
		for range 200 {
			key := rapid.Uint64().Draw(t, "key")
			was, is := name(0, key), name(1, key)
			if was != is && is != groups[canary].Name {
				t.Fatalf("key %d moved from %q to %q, when %q grew: %v, %v", key, was, is, groups[canary].Name, groups, after)
			}
			if got := name(2, key); got != is {
				t.Fatalf("key %d is in %q, and in %q in another order", key, is, got)
			}
		}
	})
}

// Keeping allocates nothing.
func TestKeepAllocates(t *testing.T) {
	r := compile(t, &spec.Route{Name: "r", Rules: []spec.Rule{{TargetGroups: []spec.GroupRef{{Name: "a", Weight: 9}, {Name: "b", Weight: 1}}}}}).Rules()[0]
	key := uint64(7)
	if n := testing.AllocsPerRun(100, func() { r.Keep(key); key++ }); n != 0 {
		t.Errorf("Keep allocates %v times", n)
	}
}

func BenchmarkKeep(b *testing.B) {
	r := compile(b, &spec.Route{Name: "r", Rules: []spec.Rule{{TargetGroups: []spec.GroupRef{{Name: "a", Weight: 9}, {Name: "b", Weight: 1}}}}}).Rules()[0]
	key := uint64(0)
	for b.Loop() {
		r.Keep(key)
		key++
	}
}
