package route

import (
	"math"

	"portico/l7/message"
)

// scanMax is how many alternatives are simply tried in turn; above it an index is
// faster.
const scanMax = 8

// chain is every alternative for one host, in the order they are tried.
type chain struct {
	rules        []*Rule
	alternatives []alternative
	index        *index // nil where there are no more than scanMax
}

func newChain(rules []*Rule) *chain {
	c := &chain{rules: rules}
	for _, r := range rules {
		c.alternatives = append(c.alternatives, r.alternatives...)
	}
	if len(c.alternatives) > scanMax {
		c.index = newIndex(c.alternatives)
	}
	return c
}

// match returns the first alternative that holds.
func (c *chain) match(r *message.Request) (Found, bool) {
	if c.index == nil {
		for i := range c.alternatives {
			if c.alternatives[i].check(r) == holds {
				return c.found(i), true
			}
		}
		return Found{}, false
	}
	s := search{alternatives: c.alternatives, r: r, best: math.MaxInt32}
	c.index.walk(&s)
	if s.best == math.MaxInt32 {
		return Found{}, false
	}
	return c.found(int(s.best)), true
}

func (c *chain) found(i int) Found {
	a := &c.alternatives[i]
	return Found{Rule: a.rule, Path: a.path.matched()}
}

// search looks for the first alternative that holds, in lists that each name some
// of them in order.
type search struct {
	alternatives []alternative
	r            *message.Request
	best         int32 // the first that was found to hold
}

// try looks through one list, no further than what is found already.
func (s *search) try(list []int32) {
	for _, i := range list {
		if i >= s.best {
			return
		}
		if s.alternatives[i].check(s.r) == holds {
			s.best = i
			return
		}
	}
}
