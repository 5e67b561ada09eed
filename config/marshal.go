package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"portico/spec"
)

// Marshal writes a spec as one YAML document in block style, which loads back to
// an equal one. What an absent key would mean is left out; files are written as
// their absolute paths, and secrets as where they are found, never as what they
// are. It fails for values that no document can hold.
func Marshal(s *spec.Spec) ([]byte, error) {
	e := &encoder{schema: newSchema(nil)}
	lines, err := e.structure(reflect.ValueOf(s).Elem(), "")
	if err != nil {
		return nil, fmt.Errorf("writing the spec: %w", err)
	}
	var b strings.Builder
	for i, l := range lines {
		if top := i > 0 && l[0] != ' '; top && (strings.HasSuffix(l, ":") || lines[i-1][0] == ' ') {
			b.WriteByte('\n')
		}
		b.WriteString(l + "\n")
	}
	return []byte(b.String()), nil
}

// encoder writes values as lines, by the same tags as they are read by.
type encoder struct{ *schema }

// block is a written value.
type block struct {
	inline bool // lines[0] stands behind the key
	lines  []string
}

func inline(s string) block { return block{inline: true, lines: []string{s}} }

func (e *encoder) value(v reflect.Value, path string) (block, error) {
	switch t := v.Type(); {
	case t == choiceType:
		return e.choice(v.Interface().(spec.Choice), path)
	case t == fileType:
		return inline(quote(v.Interface().(spec.File).Path)), nil
	case t.Kind() == reflect.Pointer:
		if v.IsNil() {
			return block{}, fmt.Errorf("%s: is nil", path)
		}
		return e.value(v.Elem(), path)
	case isText(t):
		return e.textual(v, path)
	}
	switch v.Kind() {
	case reflect.Struct:
		if short, ok := e.short(v); ok {
			return e.value(short, path)
		}
		lines, err := e.structure(v, path)
		if len(lines) == 0 {
			return inline("{}"), err
		}
		return block{lines: lines}, err
	case reflect.Slice:
		return e.list(v, path)
	case reflect.Map:
		return e.mapping(v, path)
	case reflect.String:
		return inline(quote(v.String())), nil
	case reflect.Bool:
		return inline(strconv.FormatBool(v.Bool())), nil
	case reflect.Float32, reflect.Float64:
		return inline(strconv.FormatFloat(v.Float(), 'f', -1, 64)), nil
	default:
		return whole(v, path)
	}
}

// whole writes a whole number.
func whole(v reflect.Value, path string) (block, error) {
	switch {
	case v.CanInt():
		return inline(strconv.FormatInt(v.Int(), 10)), nil
	case v.CanUint():
		return inline(strconv.FormatUint(v.Uint(), 10)), nil
	}
	return block{}, fmt.Errorf("%s: a %s cannot be written", path, v.Type())
}

// textual writes a value of a type that writes itself.
func (e *encoder) textual(v reflect.Value, path string) (block, error) {
	m, ok := reflect.TypeAssert[encoding.TextMarshaler](v)
	if !ok {
		return block{}, fmt.Errorf("%s: a %s cannot be written", path, v.Type())
	}
	written, err := m.MarshalText()
	if err != nil {
		return block{}, fmt.Errorf("%s: %w", path, err)
	}
	return inline(quote(string(written))), nil
}

// short is the one field that says all there is to say of a struct.
func (e *encoder) short(v reflect.Value) (reflect.Value, bool) {
	fs := e.of(v.Type())
	if fs.short == nil {
		return reflect.Value{}, false
	}
	for i := range fs.list {
		f := &fs.list[i]
		if !f.short && !e.isAbsent(v.FieldByIndex(f.index), f) {
			return reflect.Value{}, false
		}
	}
	return v.FieldByIndex(fs.short.index), true
}

// isAbsent reports whether a value is what its absent key would mean.
func (e *encoder) isAbsent(v reflect.Value, f *field) bool {
	if k := v.Kind(); (k == reflect.Slice || k == reflect.Map) && v.Len() == 0 {
		return true
	}
	d := decoder{schema: e.schema}
	absent := reflect.New(v.Type()).Elem()
	d.absent(absent, f)
	return reflect.DeepEqual(absent.Interface(), v.Interface())
}

func (e *encoder) structure(v reflect.Value, path string) ([]string, error) {
	var lines []string
	for _, f := range e.of(v.Type()).list {
		x := v.FieldByIndex(f.index)
		if e.isAbsent(x, &f) && !f.required {
			continue
		}
		b, err := e.value(x, spec.At(path, f.key))
		if err != nil {
			return nil, err
		}
		lines = append(lines, b.under(f.key)...)
	}
	return lines, nil
}

func (e *encoder) list(v reflect.Value, path string) (block, error) {
	if v.Len() == 0 {
		return inline("[]"), nil
	}
	var out block
	for i := range v.Len() {
		b, err := e.value(v.Index(i), spec.At(path, i))
		if err != nil {
			return block{}, err
		}
		for j, l := range b.lines {
			if j == 0 {
				out.lines = append(out.lines, "- "+l)
			} else {
				out.lines = append(out.lines, "  "+l)
			}
		}
	}
	return out, nil
}

func (e *encoder) mapping(v reflect.Value, path string) (block, error) {
	if v.Len() == 0 {
		return inline("{}"), nil
	}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	var out block
	for _, k := range keys {
		b, err := e.value(v.MapIndex(k), spec.At(path, k.String()))
		if err != nil {
			return block{}, err
		}
		out.lines = append(out.lines, b.under(quote(k.String()))...)
	}
	return out, nil
}

// choice writes {name: params}, or the name alone where nothing more is said.
func (e *encoder) choice(c spec.Choice, path string) (block, error) {
	if c.Params == nil {
		return inline(quote(c.Name)), nil
	}
	v := reflect.ValueOf(c.Params)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return inline(quote(c.Name)), nil
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if e.isAbsent(v, &field{}) {
		return inline(quote(c.Name)), nil
	}
	b, err := e.value(v, spec.At(path, c.Name))
	if err != nil {
		return block{}, err
	}
	return block{lines: b.under(quote(c.Name))}, nil
}

// under writes a block below or behind its key.
func (b block) under(key string) []string {
	if b.inline {
		return []string{key + ": " + b.lines[0]}
	}
	lines := []string{key + ":"}
	for _, l := range b.lines {
		lines = append(lines, "  "+l)
	}
	return lines
}

// plain is what reads as text without quotes, whatever stands around it.
var plain = regexp.MustCompile(`^[A-Za-z/_][A-Za-z0-9/@_.-]*$`)

// measure is what begins with a digit and still is no number: addresses,
// networks, durations and sizes.
var measure = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+([:/][0-9]+)?$|^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^[0-9]+[KMG]?i?B$`)

// quote writes text so that it is read as text: plain where nothing else could
// be meant, else in the double quotes of JSON, which YAML shares.
func quote(s string) string {
	if (plain.MatchString(s) && !isWord(s)) || measure.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a buffer takes everything, and text is always JSON
	return strings.TrimSuffix(b.String(), "\n")
}

// isWord reports whether YAML gives, or once gave, a text another meaning.
func isWord(s string) bool {
	return slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "y", "n"}, strings.ToLower(s))
}
