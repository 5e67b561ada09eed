package route

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// depthMax is how many segments of a path the index follows. Deeper prefixes
	// are tried in turn, as alternatives without a path are.
	depthMax = 12
	// stemMax bounds what the index looks at of a regular expression's first text,
	// and stemsMax the lengths it knows: each costs a request one look.
	stemMax  = 64
	stemsMax = 16
	// namesMax is how many headers, query parameters and cookies one bucket is
	// divided by.
	namesMax = 4
)

// index finds the few alternatives that a request can meet, by its path and then
// by the values it has. Whatever the table's size, a request costs one look for
// each segment of its path and each stem, and what those have in common with it.
//
// Alternatives that are alike in all of this are tried in turn: those that differ
// only by source, by method, or by a regular expression that begins with one.
type index struct {
	exact    map[string]*bucket
	prefix   map[string]*bucket
	depth    int // of the deepest indexed prefix
	stems    []stems
	anywhere *bucket
}

// stems are the regular expressions whose matches begin with the same number of bytes.
type stems struct {
	length int
	by     map[string]*bucket
}

// bucket holds alternatives that are alike in their path, in order.
type bucket struct {
	list []int32 // those that no division holds
	by   []division
}

// division holds those that ask for one value by its name.
type division struct {
	place  place
	name   string
	values map[string][]int32
}

func newIndex(alternatives []alternative) *index {
	x := &index{exact: map[string]*bucket{}, prefix: map[string]*bucket{}, anywhere: &bucket{}}
	lengths := stemLengths(alternatives)
	for _, n := range lengths {
		x.stems = append(x.stems, stems{n, map[string]*bucket{}})
	}
	for i := range alternatives {
		b := x.bucket(&alternatives[i].path)
		b.list = append(b.list, int32(i))
	}
	for _, by := range append([]map[string]*bucket{x.exact, x.prefix, {"": x.anywhere}}, x.maps()...) {
		for _, b := range by {
			b.divide(alternatives)
		}
	}
	return x
}

func (x *index) maps() []map[string]*bucket {
	var all []map[string]*bucket
	for i := range x.stems {
		all = append(all, x.stems[i].by)
	}
	return all
}

// bucket is where an alternative with that path belongs.
func (x *index) bucket(p *pathMatch) *bucket {
	switch p.kind {
	case pathExact:
		return at(x.exact, p.text)
	case pathPrefix, pathService:
		depth := strings.Count(p.text, "/")
		if depth <= depthMax {
			x.depth = max(x.depth, depth)
			return at(x.prefix, p.text)
		}
	case pathRegex:
		for i := range slices.Backward(x.stems) {
			if n := x.stems[i].length; n <= len(p.stem) {
				return at(x.stems[i].by, p.stem[:n])
			}
		}
	case pathAny, pathMethod:
	}
	return x.anywhere
}

func at(m map[string]*bucket, key string) *bucket {
	b := m[key]
	if b == nil {
		b = &bucket{}
		m[key] = b
	}
	return b
}

// stemLengths chooses by which lengths regular expressions are told apart, in
// ascending order: all that there are, or some spread over them.
func stemLengths(alternatives []alternative) []int {
	var seen [stemMax + 1]bool
	for i := range alternatives {
		if p := &alternatives[i].path; p.kind == pathRegex {
			seen[min(len(p.stem), stemMax)] = true
		}
	}
	var all []int
	for n, is := range seen {
		if is && n > 0 {
			all = append(all, n)
		}
	}
	if len(all) <= stemsMax {
		return all
	}
	var some []int
	for i := range stemsMax {
		some = append(some, all[i*len(all)/stemsMax])
	}
	return some
}

// divide parts a long list by the values its alternatives ask for.
func (b *bucket) divide(alternatives []alternative) {
	if len(b.list) <= scanMax {
		return
	}
	for _, name := range common(b.list, alternatives) {
		d := division{place: name.place, name: name.name, values: map[string][]int32{}}
		var rest []int32
		for _, i := range b.list {
			if want, ok := alternatives[i].exactly(name); ok {
				d.values[want] = append(d.values[want], i)
			} else {
				rest = append(rest, i)
			}
		}
		b.list, b.by = rest, append(b.by, d)
	}
}

// named is where a value is found.
type named struct {
	place place
	name  string
}

// common lists the names that most alternatives of a list ask an exact value of.
func common(list []int32, alternatives []alternative) []named {
	count := map[named]int{}
	for _, i := range list {
		for j := range alternatives[i].texts {
			if t := &alternatives[i].texts[j]; t.kind == textExact {
				count[named{t.place, t.name}]++
			}
		}
	}
	var names []named
	for n := range count {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b named) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.place, b.place), strings.Compare(a.name, b.name))
	})
	return names[:min(len(names), namesMax)]
}

// exactly is the value that the alternative asks for by a name.
func (a *alternative) exactly(name named) (string, bool) {
	for i := range a.texts {
		if t := &a.texts[i]; t.kind == textExact && t.place == name.place && t.name == name.name {
			return t.want, true
		}
	}
	return "", false
}

// walk tries every alternative that the request can meet.
func (x *index) walk(s *search) {
	path := s.r.Path
	x.exact[string(path)].walk(s)
	depth := 0
	for i := 1; i <= len(path) && depth < x.depth; i++ {
		if i == len(path) || path[i] == '/' {
			x.prefix[string(path[:i])].walk(s)
			depth++
		}
	}
	for i := range x.stems {
		n := x.stems[i].length
		if n > len(path) {
			break
		}
		x.stems[i].by[string(path[:n])].walk(s)
	}
	x.anywhere.walk(s)
}

func (b *bucket) walk(s *search) {
	if b == nil {
		return
	}
	s.try(b.list)
	for i := range b.by {
		d := &b.by[i]
		for v := newValues(s.r, d.place, d.name); ; {
			value, ok := v.next()
			if !ok {
				break
			}
			s.try(d.values[string(value)])
		}
	}
}
