package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"portico/spec"
)

// field is one key of a struct, as its tags say.
type field struct {
	key      string
	index    []int
	typ      reflect.Type
	def      string // the value of an absent key, as text; empty is the zero value
	low      string // the range, as text; empty when there is none
	high     string
	enum     []string
	required bool
	short    bool
	oneof    string
	kind     string
	others   []string // the keys that may stand in place of a short form
}

// fields are the keys of one struct, those of embedded structs included.
type fields struct {
	list []field
	keys []string
	// short is the field that a scalar stands for, or nil.
	short *field
}

// shortForm is the field that a scalar stands for, as messages speak of it: its own
// key is not written, and others may stand in its place.
func (f *fields) shortForm() *field {
	short := *f.short
	if short.oneof == "" {
		return &short
	}
	short.key = short.oneof
	for i := range f.list {
		if other := &f.list[i]; other.oneof == short.oneof && !other.short {
			short.others = append(short.others, "{"+other.key+": …}")
		}
	}
	return &short
}

func (f *fields) get(key string) *field {
	if i := slices.Index(f.keys, key); i >= 0 {
		return &f.list[i]
	}
	return nil
}

// schema reads struct tags, each type once.
type schema struct {
	kinds spec.Kinds
	types map[reflect.Type]*fields
	// places lists, by key, the general paths of the mappings that have it.
	places map[string][]string
}

func newSchema(kinds spec.Kinds) *schema {
	return &schema{kinds: kinds, types: map[reflect.Type]*fields{}}
}

// of returns the fields of a struct type.
func (s *schema) of(t reflect.Type) *fields {
	if f := s.types[t]; f != nil {
		return f
	}
	f := &fields{}
	for _, sf := range reflect.VisibleFields(t) {
		key, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if !sf.IsExported() || sf.Anonymous || key == "" || key == "-" {
			continue
		}
		x := field{
			key: key, index: sf.Index, typ: sf.Type,
			def:      sf.Tag.Get("default"),
			required: sf.Tag.Get("required") != "",
			short:    sf.Tag.Get("short") != "",
			oneof:    sf.Tag.Get("oneof"),
			kind:     sf.Tag.Get("kind"),
		}
		x.low, x.high, _ = strings.Cut(sf.Tag.Get("range"), "..")
		if e := sf.Tag.Get("enum"); e != "" {
			x.enum = strings.Split(e, "|")
		}
		f.list = append(f.list, x)
		f.keys = append(f.keys, key)
	}
	for i := range f.list {
		if f.list[i].short {
			f.short = &f.list[i]
		}
	}
	s.types[t] = f
	return f
}

var (
	choiceType = reflect.TypeFor[spec.Choice]()
	fileType   = reflect.TypeFor[spec.File]()
	secretType = reflect.TypeFor[spec.Secret]()
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isText reports whether values of the type are written as one text.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// schemaDepth bounds the walk over a schema; types that hold themselves end there.
const schemaDepth = 16

// where lists the general paths of the mappings that have a key: for "filters"
// it is routes[].rules[].
func (s *schema) where(key string) []string {
	if s.places == nil {
		s.places = map[string][]string{}
		s.walk(reflect.TypeFor[spec.Spec](), "", "", 0)
	}
	return s.places[key]
}

func (s *schema) walk(t reflect.Type, path, kind string, depth int) {
	if depth > schemaDepth {
		return
	}
	switch {
	case t == choiceType:
		for _, k := range s.kinds[kind] {
			if k.Params != nil {
				s.walk(reflect.TypeOf(k.Params()), spec.At(path, k.Name), "", depth+1)
			}
		}
		return
	case isText(t):
		return
	}
	switch t.Kind() {
	case reflect.Pointer:
		s.walk(t.Elem(), path, kind, depth+1)
	case reflect.Slice:
		s.walk(t.Elem(), path+"[]", kind, depth+1)
	case reflect.Map:
		s.walk(t.Elem(), path+".*", kind, depth+1)
	case reflect.Struct:
		for _, f := range s.of(t).list {
			s.places[f.key] = append(s.places[f.key], path)
			s.walk(f.typ, spec.At(path, f.key), f.kind, depth+1)
		}
	default:
	}
}

// nearestPlaces lists the places of a key that are nearest to a path: those that
// share most of it.
func (s *schema) nearestPlaces(key, path string) []string {
	here := general(path)
	var best []string
	most := -1
	for _, p := range s.where(key) {
		if p == here {
			continue
		}
		n := shared(p, here)
		if n > most {
			best, most = nil, n
		}
		if n == most && !slices.Contains(best, p) {
			best = append(best, p)
		}
	}
	return best
}

// above is the mapping around a path that has a key, the nearest; "" is none. The
// top of the file does not count: it has a list of every noun.
func (s *schema) above(key, path string) string {
	here, found := general(path), ""
	for _, p := range s.where(key) {
		if p != "" && strings.HasPrefix(here, p+".") && len(p) > len(found) {
			found = p
		}
	}
	return found
}

// general is a path without its indexes: routes[0].rules[2] is routes[].rules[].
func general(path string) string {
	var b strings.Builder
	inside := false
	for _, r := range path {
		inside = inside && r != ']'
		if !inside {
			b.WriteRune(r)
		}
		inside = inside || r == '['
	}
	return b.String()
}

// shared counts the parts that two general paths begin with.
func shared(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n
}
