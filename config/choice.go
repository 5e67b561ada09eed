package config

import (
	"fmt"
	"reflect"
	"strings"

	"portico/internal/suggest"
	"portico/spec"
)

// choice reads one of several named alternatives: a plain name, or a mapping
// with the name as its only key and the parameters as its value.
func (d *decoder) choice(n *node, v reflect.Value, path, table string) {
	name, params := n, (*node)(nil)
	switch {
	case n.kind == mapping && len(n.entries) == 1:
		name, params = n.entries[0].key, n.entries[0].value
	case n.kind == mapping:
		d.problem(n, path, fmt.Sprintf("found %d keys where the name of one %s belongs", len(n.entries), nounOf(table)),
			suggest.Help("", d.names(table)))
		return
	case n.kind != text:
		d.problem(n, path, fmt.Sprintf("found %s where the name of %s belongs", n.kind, aNounOf(table)),
			suggest.Help("", d.names(table)))
		return
	}
	kind := d.kindOf(table, name.text)
	if kind == nil {
		d.problem(name, path, fmt.Sprintf("unknown %s %q", nounOf(table), name.text), suggest.Help(name.text, d.names(table)))
		v.Set(reflect.ValueOf(spec.Choice{Name: name.text}))
		return
	}
	v.Set(reflect.ValueOf(spec.Choice{Name: kind.Name, Params: d.params(name, params, path, kind)}))
}

// params reads the parameters of a kind, and lets them check themselves. Params
// may be nil: then all are absent.
func (d *decoder) params(name, params *node, path string, kind *spec.Kind) any {
	at := spec.At(path, kind.Name)
	if params == nil || params.kind == null {
		params = &node{kind: null, place: name.place}
	}
	if kind.Params == nil {
		if params.kind != null && (params.kind != mapping || len(params.entries) > 0) {
			d.problem(params, at, fmt.Sprintf("%q takes no parameters", kind.Name), fmt.Sprintf("write %s alone", kind.Name))
		}
		return nil
	}
	into := kind.Params()
	before := d.report.errors
	d.value(params, reflect.ValueOf(into).Elem(), at, &field{})
	checker, ok := into.(spec.Checker)
	if !ok || d.report.errors > before {
		return into
	}
	for _, p := range checker.Check() {
		p.Path = spec.At(at, p.Path)
		d.report.add(p, d.report.place(p.Path, params))
	}
	return into
}

func (d *decoder) kindOf(table, name string) *spec.Kind {
	for i := range d.kinds[table] {
		if d.kinds[table][i].Name == name {
			return &d.kinds[table][i]
		}
	}
	return nil
}

func (d *decoder) names(table string) []string {
	var names []string
	for _, k := range d.kinds[table] {
		names = append(names, k.Name)
	}
	return names
}

// nounOf is what people call the entries of a table.
func nounOf(table string) string {
	if table == "balance" {
		return "algorithm"
	}
	return table
}

// aNounOf is nounOf with its article.
func aNounOf(table string) string {
	noun := nounOf(table)
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
