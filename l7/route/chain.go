package route

import (
	"strings"

	"portico/l7/message"
)

const (
	// scanMax is how many alternatives are simply tried in turn; above it an
	// index is faster.
	scanMax = 8
	// depthMax is how many segments of a path the index follows. Deeper
	// prefixes are tried in turn, as rules without a path are.
	depthMax = 12
	// listsMax is how many lists of the index one path can be found in: one per
	// depth, the exact one, and the one of alternatives without a path.
	listsMax = depthMax + 2
)

// chain is every alternative for one host, in the order they are tried.
type chain struct {
	rules        []*Rule
	alternatives []alternative
	// The index, for chains longer than scanMax: positions in alternatives, in
	// ascending order.
	exact    map[string][]int32
	prefix   map[string][]int32
	anywhere []int32
	depth    int // of the deepest indexed prefix
}

func newChain(rules []*Rule) *chain {
	c := &chain{rules: rules}
	for _, r := range rules {
		c.alternatives = append(c.alternatives, r.alternatives...)
	}
	if len(c.alternatives) > scanMax {
		c.index()
	}
	return c
}

// index sorts the alternatives by path.
func (c *chain) index() {
	c.exact, c.prefix = map[string][]int32{}, map[string][]int32{}
	for i := range c.alternatives {
		a := &c.alternatives[i]
		depth := strings.Count(a.path, "/")
		switch {
		case a.kind == pathExact:
			c.exact[a.path] = append(c.exact[a.path], int32(i))
		case a.kind == pathPrefix && depth <= depthMax:
			c.prefix[a.path] = append(c.prefix[a.path], int32(i))
			c.depth = max(c.depth, depth)
		default:
			c.anywhere = append(c.anywhere, int32(i))
		}
	}
}

// match returns the first alternative that holds.
func (c *chain) match(r *message.Request) (Found, bool) {
	if c.prefix != nil {
		return c.lookUp(r)
	}
	for i := range c.alternatives {
		if c.alternatives[i].check(r) == holds {
			return c.found(i), true
		}
	}
	return Found{}, false
}

// lookUp is match over the index: it merges the lists the path is found in, so
// that alternatives are still tried in their order.
func (c *chain) lookUp(r *message.Request) (Found, bool) {
	var lists [listsMax][]int32
	n := c.lists(r.Path, &lists)
	for {
		first := -1
		for i := range n {
			if len(lists[i]) > 0 && (first < 0 || lists[i][0] < lists[first][0]) {
				first = i
			}
		}
		if first < 0 {
			return Found{}, false
		}
		i := int(lists[first][0])
		if c.alternatives[i].check(r) == holds {
			return c.found(i), true
		}
		lists[first] = lists[first][1:]
	}
}

// lists collects the lists that may hold an alternative for the path.
func (c *chain) lists(path []byte, lists *[listsMax][]int32) int {
	n := 0
	add := func(list []int32) {
		if len(list) > 0 {
			lists[n] = list
			n++
		}
	}
	add(c.anywhere)
	add(c.exact[string(path)])
	depth := 0
	for i := 1; i <= len(path) && depth < c.depth; i++ {
		if i == len(path) || path[i] == '/' {
			add(c.prefix[string(path[:i])])
			depth++
		}
	}
	return n
}

func (c *chain) found(i int) Found {
	a := &c.alternatives[i]
	return Found{Rule: a.rule, Path: a.path}
}
