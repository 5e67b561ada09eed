package config

import (
	"fmt"
	"reflect"
	"regexp"

	"portico/spec"
)

// nameMax bounds the names of a spec, as DNS bounds a label.
const nameMax = 63

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

// isName reports whether values of the type name something the user defines.
func isName(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[spec.SiteName](), reflect.TypeFor[spec.NodeName](), reflect.TypeFor[spec.VIPName](),
		reflect.TypeFor[spec.ListenerName](), reflect.TypeFor[spec.RouteName](), reflect.TypeFor[spec.TargetGroupName]():
		return true
	}
	return false
}

// define remembers a name at the place that defines it, refuses what is no name,
// and reports a name that is defined twice: with many files only a file and a
// line say which two.
func (d *decoder) define(n *node, v reflect.Value, path string, f *field) {
	name := v.FieldByIndex(f.index)
	if !isName(name.Type()) || v.Type() == reflect.TypeFor[spec.GroupRef]() || n.kind != text {
		return
	}
	word := name.String()
	if len(word) > nameMax || !nameForm.MatchString(word) {
		d.problem(n, path, fmt.Sprintf("%.80q is not a name", word),
			fmt.Sprintf(`use lower-case letters, digits, ".", "_" and "-" between them, at most %d`, nameMax))
	}
	key := definition{name.Type(), word}
	if first, ok := d.defined[key]; ok {
		d.problem(n, path, fmt.Sprintf("%q is already the name of %s", word, first.path), "that is at "+d.report.short(first.at.place))
		return
	}
	d.defined[key] = defined{at: n, path: owner(path, f)}
}

// owner is the path of what has a name, given that of the name.
func owner(path string, f *field) string {
	if n := len(path) - len(f.key) - 1; n > 0 && path[n:] == "."+f.key {
		return path[:n]
	}
	return path
}
