package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"portico/internal/suggest"
	"portico/spec"
)

// scalar reads a text, a number or a truth.
func (d *decoder) scalar(n *node, v reflect.Value, path string, f *field) {
	if !n.isScalar() {
		d.problem(n, path, fmt.Sprintf("found %s where %s belongs", n.kind, noun(v.Type())), "")
		return
	}
	var ok bool
	switch v.Kind() {
	case reflect.String:
		ok = d.string(n, v, path, f)
	case reflect.Bool:
		ok = d.bool(n, v, path)
	case reflect.Float32, reflect.Float64:
		ok = d.float(n, v, path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		ok = d.int(n, v, path, f)
	default:
		d.problem(n, path, "no value can be given here", "leave it out")
	}
	if ok {
		d.allowed(n, v, path, f)
	}
}

// noun is what a type is, to people.
func noun(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Struct:
		return "text" // those that are written as text
	default:
		return "a number"
	}
}

func (d *decoder) string(n *node, v reflect.Value, path string, f *field) bool {
	if n.kind != text {
		help := fmt.Sprintf("write %q, with the quotes", n.text)
		if len(f.enum) > 0 && !slices.Contains(f.enum, n.text) {
			help = wanted(f) // quotes alone would not do
		}
		d.problem(n, path, fmt.Sprintf("found %s where text belongs", n.kind), help)
		return false
	}
	v.SetString(n.text)
	return true
}

func (d *decoder) bool(n *node, v reflect.Value, path string) bool {
	if n.kind != boolean {
		d.problem(n, path, fmt.Sprintf("%q is not true or false", n.text), "use true or false, without quotes")
		return false
	}
	v.SetBool(strings.EqualFold(n.text, "true"))
	return true
}

// wholeNumber is the one way to write one: 010 is eight to some and ten to others.
var wholeNumber = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)

var leadingZero = regexp.MustCompile(`^[-+]?0[0-9]+$`)

func (d *decoder) int(n *node, v reflect.Value, path string, f *field) bool {
	isWhole := wholeNumber.MatchString(n.text)
	if n.kind == text && isWhole {
		d.problem(n, path, "found text where a number belongs", fmt.Sprintf("write %s, without quotes", n.text))
		return false
	}
	if n.kind != number || !isWhole {
		what := fmt.Sprintf("%q is not a whole number", n.text)
		if isPort(v, f) {
			what = fmt.Sprintf("%q is not a port", n.text)
		}
		d.problem(n, path, what, wantedNumber(f, n.text))
		return false
	}
	if i, err := strconv.ParseInt(n.text, 10, 64); err == nil && v.CanInt() && !v.OverflowInt(i) {
		v.SetInt(i)
		return true
	}
	if u, err := strconv.ParseUint(strings.TrimPrefix(n.text, "+"), 10, 64); err == nil && v.CanUint() && !v.OverflowUint(u) {
		v.SetUint(u)
		return true
	}
	d.outOfRange(n, v, path, f)
	return false
}

func wantedNumber(f *field, written string) string {
	if leadingZero.MatchString(written) {
		return "write it without the 0 before it"
	}
	if decimal, err := strconv.ParseInt(written, 0, 64); err == nil {
		return fmt.Sprintf("write it in decimal: %d", decimal)
	}
	return wanted(f)
}

func (d *decoder) float(n *node, v reflect.Value, path string) bool {
	x, err := strconv.ParseFloat(n.text, 64)
	if n.kind != number || err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		d.problem(n, path, fmt.Sprintf("%q is not a number", n.text), "use one such as 48.2")
		return false
	}
	v.SetFloat(x)
	return true
}

// textual reads a value of a type that reads itself: an address, a duration.
func (d *decoder) textual(n *node, v reflect.Value, path string, f *field) {
	if n.kind != text && n.kind != number {
		d.problem(n, path, fmt.Sprintf("found %s where text belongs", n.kind), "")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
		what, help := explain(v.Type(), n.text, err)
		d.problem(n, path, what, help)
		return
	}
	if mapped(v) {
		d.problem(n, path, fmt.Sprintf("%q is an IPv4 address written as IPv6", n.text), "write it as IPv4")
		return
	}
	d.allowed(n, v, path, f)
}

// explain says why a text is not of a type, and what would be.
func explain(t reflect.Type, written string, err error) (what, help string) {
	switch t {
	case reflect.TypeFor[netip.Addr]():
		if _, e := netip.ParseAddrPort(written); e == nil {
			return fmt.Sprintf("%q is an address with a port", written), "leave the port out"
		}
		return fmt.Sprintf("%q is not an IP address", written), "use one such as 10.0.0.1 or 2001:db8::1"
	case reflect.TypeFor[netip.Prefix]():
		if a, e := netip.ParseAddr(written); e == nil {
			return fmt.Sprintf("%q is not a network", written), fmt.Sprintf("for this address alone, use %s/%d", a, a.BitLen())
		}
		return fmt.Sprintf("%q is not a network", written), "use one such as 10.0.0.0/8 or 2001:db8::/32"
	case reflect.TypeFor[netip.AddrPort]():
		return fmt.Sprintf("%q is not an address with a port", written), "use one such as 127.0.0.1:5300 or [::1]:5300"
	}
	what, help, _ = strings.Cut(err.Error(), "; ")
	return what, help
}

// mapped reports whether v is an IPv4 address in the clothes of IPv6, which no
// two places would compare alike.
func mapped(v reflect.Value) bool {
	switch a := v.Interface().(type) {
	case netip.Addr:
		return a.Is4In6()
	case netip.Prefix:
		return a.Addr().Is4In6()
	case netip.AddrPort:
		return a.Addr().Is4In6()
	case spec.AddrPort:
		return a.Addr().Is4In6()
	}
	return false
}

// allowed checks a value against the field's enum and range.
func (d *decoder) allowed(n *node, v reflect.Value, path string, f *field) {
	if len(f.enum) > 0 && !slices.Contains(f.enum, fmt.Sprint(v.Interface())) {
		d.notOne(n, v, path, f)
		return
	}
	if f.low != "" && (less(v, parsed(v.Type(), f.low)) || less(parsed(v.Type(), f.high), v)) {
		d.outOfRange(n, v, path, f)
	}
}

// notOne reports a value that is none of the few that are allowed.
func (d *decoder) notOne(n *node, v reflect.Value, path string, f *field) {
	word := f.key
	switch {
	case word == "portico":
		word = "version"
	case f.typ.Kind() == reflect.Slice:
		word = strings.TrimSuffix(word, "s")
	}
	what, help := fmt.Sprintf("unknown %s %q", word, n.text), suggest.Help(n.text, f.enum)
	if v.Kind() != reflect.String { // no number is near another
		what, help = fmt.Sprintf("unknown %s %s", word, n.text), "use one of "+strings.Join(f.enum, ", ")
		if len(f.enum) == 1 {
			help = wanted(f)
		}
	}
	if len(f.others) > 0 && strings.HasPrefix(help, "use ") {
		help += ", or " + strings.Join(f.others, ", ")
	}
	d.problem(n, path, what, help)
}

func (d *decoder) outOfRange(n *node, v reflect.Value, path string, f *field) {
	low, high := f.low, f.high
	if low == "" {
		low, high = bounds(v)
	}
	what := fmt.Sprintf("%s is out of range", n.text)
	if isPort(v, f) {
		what = fmt.Sprintf("%s is not a port", n.text)
	}
	d.problem(n, path, what, fmt.Sprintf("use %s to %s", low, high))
}

func isPort(v reflect.Value, f *field) bool {
	return v.Kind() == reflect.Uint16 || f.key == "port"
}

// bounds are those of the type, where the field has none.
func bounds(v reflect.Value) (low, high string) {
	bits := v.Type().Bits()
	if v.CanUint() {
		return "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	}
	return strconv.FormatInt(math.MinInt64>>(64-bits), 10), strconv.FormatInt(math.MaxInt64>>(64-bits), 10)
}

// less compares values of one ordered type.
func less(a, b reflect.Value) bool {
	switch {
	case a.CanInt():
		return a.Int() < b.Int()
	case a.CanUint():
		return a.Uint() < b.Uint()
	case a.CanFloat():
		return a.Float() < b.Float()
	}
	return false
}

// scalarDefault sets a field to its default.
func (d *decoder) scalarDefault(v reflect.Value, f *field) { v.Set(parsed(v.Type(), f.def)) }

// parsed reads the text of a tag as a value of a type. A tag that does not fit
// its field is a mistake of this program, which the tests of config find.
func parsed(t reflect.Type, tag string) reflect.Value {
	v := reflect.New(t).Elem()
	var err error
	switch {
	case isText(t):
		err = v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(tag))
	case v.Kind() == reflect.String:
		v.SetString(tag)
	case v.Kind() == reflect.Bool:
		v.SetBool(tag == "true")
	case v.CanInt():
		var i int64
		i, err = strconv.ParseInt(tag, 10, 64)
		v.SetInt(i)
	case v.CanUint():
		var u uint64
		u, err = strconv.ParseUint(tag, 10, 64)
		v.SetUint(u)
	case v.CanFloat():
		var x float64
		x, err = strconv.ParseFloat(tag, 64)
		v.SetFloat(x)
	default:
		err = errors.New("no such values")
	}
	if err != nil {
		panic(fmt.Sprintf("config: the tag %q of a %s: %v", tag, t, err))
	}
	return v
}
