package policy

import "portico/spec"

// simple answers with every site. Clients mostly take the first address, so the
// sites take turns at being first: the draw turns the list.
type simple struct{ turns [][]int }

func newSimple(sites []Site) Chooser {
	s := &simple{turns: make([][]int, len(sites))}
	for i := range sites {
		turn := make([]int, len(sites))
		for j := range sites {
			turn[j] = (i + j) % len(sites)
		}
		s.turns[i] = turn
	}
	return s
}

func (s *simple) Answers() [][]int { return s.turns }

func (s *simple) Choose(q Query) int {
	if len(s.turns) == 0 {
		return -1
	}
	return int(scale(q.Draw, uint64(len(s.turns))))
}

func (s *simple) Share(int) float64 { return 1 / float64(len(s.turns)) }

func every(_ any, known []spec.SiteName) []Site {
	sites := make([]Site, len(known))
	for i, name := range known {
		sites[i] = Site{name, 1}
	}
	return sites
}

func none(any) []spec.SiteName { return nil }
