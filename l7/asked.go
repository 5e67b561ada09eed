package l7

import (
	"math/rand/v2"
	"slices"

	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// one chooses a target of a group for what a filter asks, another than those that
// were tried if there is one; done tells it that the answer is there.
func (s *Server) one(group spec.TargetGroupName, tried []string) (host string, done func(), ok bool) {
	g := s.o.Groups.Group(group)
	if g == nil {
		return "", nil, false
	}
	var not []*target.Target
	for _, t := range g.Targets() {
		if slices.Contains(tried, t.Address().String()) {
			not = append(not, t)
		}
	}
	t := g.Pick(balance.Query{Key: rand.Uint64(), Draw: rand.Uint64()}, not)
	if t == nil {
		return "", nil, false
	}
	t.Begin()
	return t.Address().String(), t.End, true
}
