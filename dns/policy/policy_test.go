package policy_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"portico/dns/policy"
	"portico/spec"
)

var (
	known  = []spec.SiteName{"east", "north", "south", "west"}
	client = netip.MustParsePrefix("203.0.113.7/32")
)

// params are parameters for each policy that has some, naming every known site;
// a policy added to the table must be added here.
var params = map[string]any{
	"weighted": &policy.Weighted{"east": 70, "north": 10, "south": 20, "west": 5},
	"failover": &policy.Failover{"west", "east", "south", "north"},
}

// TestContract proves what every policy must keep: it uses known sites once,
// chooses among those it was given alone, reaches all of its answers, keeps to the
// shares it states, and decides alike for the same query, without allocating.
func TestContract(t *testing.T) {
	for _, p := range policy.All() {
		t.Run(p.Name, func(t *testing.T) {
			if p.Summary == "" || (p.Params == nil) != (params[p.Name] == nil) {
				t.Fatalf("no summary, or no parameters in this test")
			}
			rapid.Check(t, func(t *rapid.T) {
				at := rapid.SliceOfNDistinct(rapid.SampledFrom(known), 0, len(known), rapid.ID).Draw(t, "known")
				sites := p.Sites(params[p.Name], at)
				if len(sites) != len(at) {
					t.Fatalf("Sites(%v) = %v, want all of them", at, sites)
				}
				for i, s := range sites {
					if !slices.Contains(at, s.Name) || s.Weight < 1 || s.Weight > policy.WeightMax || slices.ContainsFunc(sites[:i], func(o policy.Site) bool { return o.Name == s.Name }) {
						t.Fatalf("Sites(%v) = %v", at, sites)
					}
				}
				contract(t, p, sites)
			})
		})
	}
}

func contract(t *rapid.T, p policy.Policy, sites []policy.Site) {
	c := p.New(sites)
	answers := c.Answers()
	for _, a := range answers {
		for i, site := range a {
			if site < 0 || site >= len(sites) || slices.Contains(a[:i], site) {
				t.Fatalf("answer %v of %d sites", a, len(sites))
			}
		}
		if len(a) == 0 {
			t.Fatalf("an answer without a site")
		}
	}
	if len(sites) == 0 {
		if got := c.Choose(policy.Query{Client: client}); got != -1 || len(answers) != 0 {
			t.Fatalf("no sites: Choose = %d of %d answers", got, len(answers))
		}
		return
	}
	const draws = 4096
	reached := make([]bool, len(answers))
	first := make([]int, len(sites))
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for range draws {
		q := policy.Query{Draw: rng.Uint64(), Client: client}
		i := c.Choose(q)
		if i < 0 || i >= len(answers) || c.Choose(q) != i {
			t.Fatalf("Choose(%v) = %d, then %d, of %d answers", q, i, c.Choose(q), len(answers))
		}
		reached[i] = true
		first[answers[i][0]]++
	}
	if slices.Contains(reached, false) {
		t.Fatalf("answers reached: %v", reached)
	}
	total := 0.0
	for i, n := range first {
		share := c.Share(i)
		total += share
		if got := float64(n) / draws; got < share-0.06 || got > share+0.06 {
			t.Fatalf("site %d is first in %.3f of the answers, and its share is %.3f", i, got, share)
		}
	}
	if total < 0.999 || total > 1.001 {
		t.Fatalf("the shares add up to %v", total)
	}
	q := policy.Query{Draw: rng.Uint64(), Client: client}
	if n := testing.AllocsPerRun(10, func() { c.Choose(q) }); n != 0 {
		t.Fatalf("Choose allocates %v times", n)
	}
}

// TestEdges proves that the ends of the range of draws fall to a site.
func TestEdges(t *testing.T) {
	for _, p := range policy.All() {
		c := p.New(p.Sites(params[p.Name], known))
		for _, draw := range []uint64{0, 1, 1 << 63, ^uint64(0)} {
			if i := c.Choose(policy.Query{Draw: draw}); i < 0 || i >= len(c.Answers()) {
				t.Errorf("%s: draw %d falls to answer %d of %d", p.Name, draw, i, len(c.Answers()))
			}
		}
	}
}

// TestSites proves which sites a policy would ever use, in which order and with
// which weight.
func TestSites(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy string
		params any
		want   []policy.Site
	}{
		{"simple takes all", "simple", nil, []policy.Site{{"east", 1}, {"north", 1}, {"south", 1}, {"west", 1}}},
		{"weight zero is off", "weighted", &policy.Weighted{"east": 3, "west": 0}, []policy.Site{{"east", 3}}},
		{"all zero is equal", "weighted", &policy.Weighted{"east": 0, "west": 0}, []policy.Site{{"east", 1}, {"west", 1}}},
		{"off stays off where the others are not", "weighted", &policy.Weighted{"mars": 1, "west": 0}, nil},
		{"weighted without weights", "weighted", nil, nil},
		{"failover keeps its order", "failover", &policy.Failover{"west", "mars", "east", "west"}, []policy.Site{{"west", 1}, {"east", 1}}},
		{"failover without sites", "failover", nil, nil},
	} {
		p, ok := policy.Lookup(tc.policy)
		if !ok {
			t.Fatalf("no policy named %q", tc.policy)
		}
		if got := p.Sites(tc.params, known); !slices.Equal(got, tc.want) {
			t.Errorf("%s: Sites = %v, want %v", tc.name, got, tc.want)
		}
	}
}

// TestOrder proves the order within an answer: simple turns the list, failover
// takes the first in use.
func TestOrder(t *testing.T) {
	for _, tc := range []struct {
		policy string
		want   [][]int
	}{
		{"simple", [][]int{{0, 1, 2}, {1, 2, 0}, {2, 0, 1}}},
		{"weighted", [][]int{{0}, {1}, {2}}},
		{"failover", [][]int{{0}}},
	} {
		p, _ := policy.Lookup(tc.policy)
		got := p.New([]policy.Site{{"a", 1}, {"b", 1}, {"c", 1}}).Answers()
		if !slices.EqualFunc(got, tc.want, slices.Equal) {
			t.Errorf("%s: %v, want %v", tc.policy, got, tc.want)
		}
	}
}

// TestParamsCheck proves what the parameters of a policy refuse, and where.
func TestParamsCheck(t *testing.T) {
	for _, tc := range []struct {
		name   string
		params spec.Checker
		want   []string
	}{
		{"good weights", &policy.Weighted{"east": 0, "west": 65535}, nil},
		{"no weights", &policy.Weighted{}, []string{"no site has a weight; list sites and weights, such as {east: 90, west: 10}"}},
		{"weights out of range", &policy.Weighted{"a": -1, "b": 65536}, []string{"a: -1 is not a weight; use 0 to 65535", "b: 65536 is not a weight; use 0 to 65535"}},
		{"good list", &policy.Failover{"east", "west"}, nil},
		{"empty list", &policy.Failover{}, []string{"no site is listed; list sites, best first, such as [east, west]"}},
		{"twice", &policy.Failover{"east", "west", "east"}, []string{`[2]: site "east" is listed before`}},
	} {
		var got []string
		for _, p := range tc.params.Check() {
			got = append(got, p.String())
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestTable proves that the table can be decoded with and looked up in.
func TestTable(t *testing.T) {
	for i, k := range policy.Kinds() {
		p, _, ok := policy.Of(&spec.Choice{Name: k.Name})
		if !ok || p.Name != policy.All()[i].Name {
			t.Errorf("Of(%q) = %q, %v", k.Name, p.Name, ok)
		}
		if k.Params != nil {
			if _, ok := k.Params().(spec.Checker); !ok {
				t.Errorf("%s: the parameters check nothing", k.Name)
			}
		}
	}
	if p, _, ok := policy.Of(nil); !ok || p.Name != policy.Default {
		t.Errorf("Of(nil) = %q, %v", p.Name, ok)
	}
	if _, _, ok := policy.Of(&spec.Choice{Name: "nearest"}); ok {
		t.Errorf("there is a policy nobody wrote")
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, p := range policy.All() {
		b.Run(p.Name, func(b *testing.B) {
			c := p.New(p.Sites(params[p.Name], known))
			b.ReportAllocs()
			for i := range b.N {
				c.Choose(policy.Query{Draw: uint64(i) * 0x9e3779b97f4a7c15, Client: client})
			}
		})
	}
}
