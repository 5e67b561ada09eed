package config

import (
	"fmt"
	"reflect"
	"strings"

	"portico/internal/suggest"
	"portico/spec"
)

// decoder fills a spec from nodes. It never stops at a problem: what cannot be
// read stays zero, is reported, and the rest is read.
type decoder struct {
	*schema
	report *Report
	// defined remembers where each name was defined, by its type.
	defined map[definition]defined
}

// definition is a name that may be given once.
type definition struct {
	typ  reflect.Type
	name string
}

type defined struct {
	at   *node
	path string
}

func newDecoder(kinds spec.Kinds, r *Report) *decoder {
	return &decoder{schema: newSchema(kinds), report: r, defined: map[definition]defined{}}
}

func (d *decoder) spec(root *node) *spec.Spec {
	s := &spec.Spec{}
	d.structure(root, reflect.ValueOf(s).Elem(), "")
	return s
}

// problem reports what is wrong with a node, and what would be right.
func (d *decoder) problem(n *node, path, what, help string) { d.report.at(n, path, what, help) }

// value reads a node into v, which is settable. The field says which values are
// allowed; of a list, it speaks of the elements.
func (d *decoder) value(n *node, v reflect.Value, path string, f *field) {
	t := v.Type()
	switch {
	case t == choiceType:
		d.choice(n, v, path, f.kind)
		return
	case t == fileType:
		d.file(n, v, path)
		return
	case t == secretType:
		d.secret(n, v, path)
		return
	case isText(t):
		d.textual(n, v, path, f)
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		d.value(n, v.Elem(), path, f)
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path, f)
	case reflect.Map:
		d.mapping(n, v, path, f)
	default:
		d.scalar(n, v, path, f)
	}
}

func (d *decoder) list(n *node, v reflect.Value, path string, f *field) {
	if n.kind == null {
		return
	}
	if n.kind != list {
		help := "begin each element with \"- \""
		if n.isScalar() {
			help = fmt.Sprintf("write [%s]", n.text)
		}
		d.problem(n, path, fmt.Sprintf("found %s where a list belongs", n.kind), help)
		return
	}
	if len(n.items) == 0 {
		return // no elements and no list are one thing
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		at := spec.At(path, i)
		if item.kind == null {
			d.problem(item, at, "an element of a list is empty", "fill it in, or leave it out")
			continue
		}
		d.value(item, v.Index(i), at, f)
	}
}

func (d *decoder) mapping(n *node, v reflect.Value, path string, f *field) {
	if n.kind == null {
		return
	}
	if n.kind != mapping {
		d.problem(n, path, fmt.Sprintf("found %s where a mapping belongs", n.kind), "write key: value, one a line")
		return
	}
	d.twice(n, path)
	if len(n.entries) == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range n.entries {
		at := spec.At(path, e.key.text)
		key := reflect.New(v.Type().Key()).Elem()
		d.scalar(&node{kind: text, text: e.key.text, place: e.key.place}, key, at, &field{})
		elem := reflect.New(v.Type().Elem()).Elem()
		if e.value.kind == null {
			d.problem(e.key, at, "no value is given", "")
		} else {
			d.value(e.value, elem, at, f)
		}
		v.SetMapIndex(key, elem)
	}
}

// twice reports keys that a mapping has more than once.
func (d *decoder) twice(n *node, path string) {
	first := make(map[string]*node, len(n.entries))
	for _, e := range n.entries {
		if f := first[e.key.text]; f != nil {
			d.problem(e.key, spec.At(path, e.key.text), fmt.Sprintf("the key %q is given twice", e.key.text),
				"the first is at "+d.report.short(f.place))
			continue
		}
		first[e.key.text] = e.key
	}
}

// structure reads a mapping into a struct, or a scalar into the field that it
// stands for. Keys that are absent get their defaults.
func (d *decoder) structure(n *node, v reflect.Value, path string) {
	fs := d.of(v.Type())
	given := make([]bool, len(fs.list))
	switch {
	case n.kind == mapping:
		d.keys(n, v, path, fs, given)
	case n.isScalar() && fs.short != nil:
		given[indexOf(fs, fs.short)] = true
		d.value(n, v.FieldByIndex(fs.short.index), path, fs.shortForm())
		d.define(n, v, path, fs.short)
	case n.kind != null:
		d.problem(n, path, fmt.Sprintf("found %s where a mapping belongs", n.kind), "its keys are "+suggest.List(fs.keys))
		d.defaults(v)
		return
	}
	for i := range fs.list {
		f := &fs.list[i]
		if given[i] {
			continue
		}
		if f.required {
			d.problem(n, spec.At(path, f.key), fmt.Sprintf("%q is missing", f.key), wanted(f))
		}
		d.absent(v.FieldByIndex(f.index), f)
	}
	d.oneof(n, path, fs, given)
}

// wanted says what a field may be, when few words can.
func wanted(f *field) string {
	switch {
	case len(f.enum) > 1:
		return "use one of " + suggest.List(f.enum)
	case len(f.enum) == 1:
		return fmt.Sprintf("write %s: %s", f.key, f.enum[0])
	case f.low != "":
		return fmt.Sprintf("use %s to %s", f.low, f.high)
	}
	return ""
}

func indexOf(fs *fields, f *field) int {
	for i := range fs.list {
		if &fs.list[i] == f {
			return i
		}
	}
	return -1
}

// keys reads the keys of a mapping, and marks those that were given.
func (d *decoder) keys(n *node, v reflect.Value, path string, fs *fields, given []bool) {
	d.twice(n, path)
	for i := range n.entries {
		e := &n.entries[i]
		f := fs.get(e.key.text)
		if f == nil {
			if f = d.unknown(n, e, path, fs); f == nil {
				continue
			}
			e.key.text = f.key // reads on with the word that was meant
		}
		at := indexOf(fs, f)
		if given[at] {
			continue // reported as given twice
		}
		if e.value.kind == null {
			if f.required {
				given[at] = true
				d.problem(e.key, spec.At(path, f.key), fmt.Sprintf("%q has no value", f.key), wanted(f))
			}
			continue
		}
		given[at] = true
		into := v.FieldByIndex(f.index)
		d.value(e.value, into, spec.At(path, f.key), f)
		if f.key == "name" {
			d.define(e.value, v, spec.At(path, f.key), f)
		}
	}
}

// unknown reports a key that the struct does not have. It returns the field that
// was probably meant, when the key is otherwise not given.
func (d *decoder) unknown(n *node, e *entry, path string, fs *fields) *field {
	key := e.key.text
	at := spec.At(path, key)
	if place := d.above(key+"s", path); place != "" {
		d.problem(e.key, at, fmt.Sprintf("%q belongs in %s, as %q, not in %s", key, place, key+"s", general(path)), "")
		return nil
	}
	near := suggest.Nearest(key, fs.keys)
	places := d.nearestPlaces(key, path)
	if len(places) > 0 && (near == "" || suggest.Slips(key, near) > 1) {
		d.problem(e.key, at, fmt.Sprintf("%q belongs in %s, not %s", key, inAny(places), inPlace(general(path))), "")
		return nil
	}
	d.problem(e.key, at, fmt.Sprintf("unknown key %q", key), suggest.Help(key, fs.keys))
	if near == "" || n.get(near) != nil {
		return nil
	}
	return fs.get(near)
}

// placesMax bounds the places that one message names.
const placesMax = 3

func inAny(places []string) string {
	var words []string
	for _, p := range places[:min(len(places), placesMax)] {
		if p == "" {
			p = "the top of the file"
		}
		words = append(words, p)
	}
	return strings.Join(words, " or ")
}

func inPlace(path string) string {
	if path == "" {
		return "at the top of the file"
	}
	return "in " + path
}

// oneof checks that of fields that exclude each other, one is given.
func (d *decoder) oneof(n *node, path string, fs *fields, given []bool) {
	groups := map[string][]string{}
	count := map[string]int{}
	var order []string
	for i, f := range fs.list {
		if f.oneof == "" {
			continue
		}
		if groups[f.oneof] == nil {
			order = append(order, f.oneof)
		}
		groups[f.oneof] = append(groups[f.oneof], f.key)
		if given[i] {
			count[f.oneof]++
		}
	}
	for _, g := range order {
		switch {
		case count[g] == 0:
			d.problem(n, path, fmt.Sprintf("none of %s is given", suggest.List(groups[g])), "use one of them")
		case count[g] > 1:
			d.problem(n, path, fmt.Sprintf("%s exclude each other", suggest.List(groups[g])), "use one of them")
		}
	}
}

// absent fills in the default of a key that is not there.
func (d *decoder) absent(v reflect.Value, f *field) {
	if f.def != "" {
		d.scalarDefault(v, f)
		return
	}
	d.defaults(v)
}

// defaults fills in a struct as if it was written without any key.
func (d *decoder) defaults(v reflect.Value) {
	t := v.Type()
	if t.Kind() != reflect.Struct || t == choiceType || t == fileType || t == secretType || isText(t) {
		return
	}
	fs := d.of(t)
	for i := range fs.list {
		d.absent(v.FieldByIndex(fs.list[i].index), &fs.list[i])
	}
}
