package config

import (
	"strings"
)

// kind is what a node is, before anything is known of what it should be.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	list
	mapping
)

// String says what a node is, to people.
func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a list", "a mapping"}[k]
}

// node is one value of a document, with the place it was written at. YAML and
// JSON both become nodes, so that everything after speaks of one thing.
type node struct {
	kind kind
	// text is a scalar as it was written, without quotes.
	text    string
	entries []entry // of a mapping
	items   []*node // of a list
	// secret is set where the text of the line must not be shown again.
	secret bool
	place  place
}

// entry is one key of a mapping and its value.
type entry struct{ key, value *node }

// place is where a node was written. Line and column count from 1, columns in
// characters; the zero place is nowhere.
type place struct {
	source, line, column int
	width                int // characters to mark
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	if e := n.entry(key); e != nil {
		return e.value
	}
	return nil
}

func (n *node) entry(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key.text == key {
			return &n.entries[i]
		}
	}
	return nil
}

// isScalar reports whether the node is a single value that was given.
func (n *node) isScalar() bool { return n.kind == text || n.kind == number || n.kind == boolean }

// find walks a path as spec.At makes it, as far as there are nodes, and returns
// the last one. Keys may hold dots: the longest that fits is taken.
func (n *node) find(path string) *node {
	for path != "" {
		next, rest := n.step(path)
		if next == nil {
			return n
		}
		n, path = next, rest
	}
	return n
}

// step takes one key or index off a path.
func (n *node) step(path string) (next *node, rest string) {
	path = strings.TrimPrefix(path, ".")
	if n.kind == list && strings.HasPrefix(path, "[") {
		i, end := 0, 1
		for end < len(path) && path[end] >= '0' && path[end] <= '9' && i < len(n.items) {
			i, end = i*10+int(path[end]-'0'), end+1
		}
		if end < len(path) && path[end] == ']' && i < len(n.items) {
			return n.items[i], path[end+1:]
		}
		return nil, ""
	}
	best := -1
	for _, e := range n.entries {
		after, ok := strings.CutPrefix(path, e.key.text)
		if ok && len(e.key.text) > best && (after == "" || after[0] == '.' || after[0] == '[') {
			best, next, rest = len(e.key.text), e.value, after
			if next.kind == null {
				next = e.key // nothing is nowhere; its key is somewhere
			}
		}
	}
	return next, rest
}
