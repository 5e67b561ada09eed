package l7

import (
	"fmt"
	"testing"

	"portico/l7/tlsx"
	"portico/spec"
)

// manyRoutes makes a player's listener one of n routes, each with a host of its own.
func (p *player) manyRoutes(tb testing.TB, n int) (hosts [][]byte) {
	tb.Helper()
	l := spec.Listener{Name: "many", Protocol: spec.ProtocolHTTPS}
	want := &spec.Spec{AccessLog: spec.AccessLogOff, TargetGroups: []spec.TargetGroup{*p.h.rules[0].groups[0].group.Spec()}}
	for i := range n {
		name, host := spec.RouteName(fmt.Sprintf("r%d", i)), fmt.Sprintf("h%d.test", i)
		want.Routes = append(want.Routes, spec.Route{Name: name, Hosts: []string{host}, Rules: []spec.Rule{plainRule}})
		l.Routes, hosts = append(l.Routes, name), append(hosts, []byte(host))
	}
	want.Listeners = []spec.Listener{l}
	c, err := p.h.s.newCompiler(want, &tlsx.Set{}).handler(&want.Listeners[0])
	if err != nil {
		tb.Fatal(err)
	}
	p.h = &handler{listening: c, live: p.h.live}
	return hosts
}

// What rules have in common they share, so that requests to many routes find it in
// the processor's cache; what one of them says otherwise it has alone.
func TestRulesShare(t *testing.T) {
	p := newPlayer(t, plainRule)
	p.manyRoutes(t, routesMax+3)
	rules := p.h.rules
	if rules[0].timeouts != rules[1].timeouts || &rules[0].groups[0] != &rules[1].groups[0] {
		t.Error("two rules that say the same share nothing")
	}
	if rules[0].count == rules[1].count {
		t.Error("two routes are counted as one")
	}
	if rules[routesMax].count != rules[routesMax+1].count || rules[routesMax].count == rules[0].count {
		t.Error("routes above the maximum are not counted together")
	}
	want := &spec.Spec{
		TargetGroups: []spec.TargetGroup{*rules[0].groups[0].group.Spec()},
		Routes: []spec.Route{{Name: "r", Rules: []spec.Rule{
			plainRule,
			{TargetGroups: plainRule.TargetGroups, Timeouts: spec.Timeouts{Response: spec.Off}},
		}}},
		Listeners: []spec.Listener{{Name: "l", Routes: []spec.RouteName{"r"}}},
	}
	c, err := p.h.s.newCompiler(want, &tlsx.Set{}).handler(&want.Listeners[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := c.rules[1].groups[0].timeouts.Response; got != spec.Off || c.rules[1].timeouts.Response != spec.Off || c.rules[0].timeouts.Response == spec.Off {
		t.Errorf("a rule's timeout for the answer is %v, want off for it alone", got)
	}
}

// BenchmarkRoutes is the cost of a request when every route is asked for in turn.
func BenchmarkRoutes(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := newPlayer(b, plainRule)
			hosts := p.manyRoutes(b, n)
			at := 0
			b.ReportAllocs()
			for b.Loop() {
				at = (at + 7919) % n // no route is near the one before
				p.host = hosts[at]
				p.play(0)
			}
		})
	}
}
