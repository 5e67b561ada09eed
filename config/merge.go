package config

import (
	"fmt"
	"slices"

	"portico/spec"
)

// merge makes one document of many: lists are joined in order, mappings key by
// key, and anything else may be given once. Every file must say which version it
// is written for.
func merge(r *Report, documents []*node) *node {
	root := &node{kind: mapping, place: place{line: 1, column: 1}}
	if len(documents) > 0 {
		root.place = documents[0].place
	}
	versioned := map[int]bool{} // or has a problem already, which is enough
	for _, p := range r.problems {
		versioned[p.place.source] = true
	}
	for _, d := range documents {
		if d.kind != mapping {
			r.at(d, "", fmt.Sprintf("the document is %s, not a mapping", d.kind), `begin it with "portico: v1"`)
			versioned[d.place.source] = true
			continue
		}
		if d.get("portico") != nil {
			versioned[d.place.source] = true
		}
		mergeInto(r, root, d, "")
	}
	for i := range r.sources {
		if !versioned[i] {
			first := &node{place: place{source: i, line: 1, column: 1}}
			r.at(first, "portico", "the file does not say which version it is written for", fmt.Sprintf("begin it with \"portico: %s\"", spec.Version))
		}
	}
	if root.get("portico") == nil {
		version := &node{kind: text, text: spec.Version, place: root.place}
		root.entries = append(root.entries, entry{&node{kind: text, text: "portico", place: root.place}, version})
	}
	return root
}

// mergeInto adds the keys of from to those of into.
func mergeInto(r *Report, into, from *node, path string) {
	index := make(map[string]int, len(into.entries))
	for i, e := range into.entries {
		index[e.key.text] = i
	}
	own := map[string]*node{} // by key, those of from
	for _, e := range from.entries {
		at := spec.At(path, e.key.text)
		if first := own[e.key.text]; first != nil {
			r.at(e.key, at, fmt.Sprintf("the key %q is given twice", e.key.text), "the first is at "+r.short(first.place))
			continue
		}
		own[e.key.text] = e.key
		i, there := index[e.key.text]
		if !there {
			into.entries = append(into.entries, e)
			continue
		}
		old := &into.entries[i]
		switch {
		case e.value.kind == null:
		case old.value.kind == null:
			*old = e
		case old.value.kind == list && e.value.kind == list:
			joined := *old.value
			joined.items = append(slices.Clip(joined.items), e.value.items...)
			old.value = &joined
		case old.value.kind == mapping && e.value.kind == mapping:
			joined := *old.value
			mergeInto(r, &joined, e.value, at)
			old.value = &joined
		case at == "portico" && old.value.text == e.value.text:
		default:
			r.at(e.key, at, fmt.Sprintf("%q was already given", e.key.text), "it is at "+r.short(old.key.place))
		}
	}
}
