package config

import (
	"reflect"
	"testing"

	"portico/spec"
)

// Every tag of every field of a spec says something that its field can hold.
func TestTags(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	s := newSchema(nil)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[typ] || typ == choiceType || isText(typ) {
			return
		}
		seen[typ] = true
		for _, f := range s.of(typ).list {
			elem := f.typ
			if elem.Kind() == reflect.Slice {
				elem = elem.Elem()
			}
			for _, tag := range append([]string{f.def, f.low, f.high}, f.enum...) {
				if tag != "" {
					parsed(elem, tag) // panics when it cannot
				}
			}
			if f.low != "" && f.def != "" && (less(parsed(elem, f.def), parsed(elem, f.low)) || less(parsed(elem, f.high), parsed(elem, f.def))) {
				t.Errorf("%s.%s: the default %s is out of range", typ, f.key, f.def)
			}
			if (f.low == "") != (f.high == "") {
				t.Errorf("%s.%s: half a range", typ, f.key)
			}
			walk(f.typ)
		}
	}
	walk(reflect.TypeFor[spec.Spec]())
	if len(seen) < 20 {
		t.Errorf("only %d structs were looked at", len(seen))
	}
}

// A path finds its node, or the nearest one around it, keys with dots included.
func TestFind(t *testing.T) {
	documents, ok := parseJSON([]byte(`{"a": [{"b.c": {"d": 1}, "b": 2}, [3, 4]], "e": null}`), 0)
	if !ok {
		t.Fatal("not JSON")
	}
	for _, c := range []struct{ path, want string }{
		{"a[0].b.c.d", "1"},
		{"a[0].b", "2"},
		{"a[1][1]", "4"},
		{"e", "e"},
		{"a[0].b.x", "2"},
		{"a[1][1].x[7]", "4"},
		{"a[0].b.c.x", ""},
		{"a[9]", ""},
		{"a[99999999999999999999999]", ""},
		{"a[", ""},
		{"a[]", ""},
		{"a[x]", ""},
		{"", ""},
		{"x", ""},
		{".", ""},
	} {
		if got := documents[0].find(c.path); got.text != c.want {
			t.Errorf("find(%q) = %q, want %q", c.path, got.text, c.want)
		}
	}
}

// A problem is an echo when it is at, in or around what could not be read.
func TestTouches(t *testing.T) {
	s := pathSet{}
	s.add("routes[0].rules[1].targetGroups[0]")
	all := s.clone()
	for path, want := range map[string]bool{
		"routes[0].rules[1].targetGroups[0]":      true,
		"routes[0].rules[1].targetGroups[0].name": true,
		"routes[0].rules[1].targetGroups":         true,
		"routes[0].rules[1]":                      true,
		"routes":                                  true,
		"routes[0].rules[1].targetGroups[1]":      false,
		"routes[0].rules[1].match":                false,
		"routes[1]":                               false,
		"listeners[0].routes":                     false,
		"":                                        false,
	} {
		if got := all.touches(path); got != want {
			t.Errorf("touches(%q) = %v, want %v", path, got, want)
		}
	}
}
