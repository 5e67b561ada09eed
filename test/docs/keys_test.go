package docs

import (
	"encoding"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portico/internal/tidy"
	"portico/node"
	"portico/spec"
)

// TestKeysAreTold proves that a guide tells of every key that a spec may have: in
// backquotes, or in an example.
func TestKeysAreTold(t *testing.T) {
	var told strings.Builder
	for _, p := range pages(t) {
		if strings.HasPrefix(p.path, "docs/guide/") {
			for _, line := range p.lines {
				told.WriteString(strings.Join(quoted(line), "\n") + "\n")
			}
		}
	}
	fences, err := tidy.Fences(os.DirFS(root), "docs/guide", "yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fences {
		told.WriteString(f.Text)
	}
	keys := map[string]string{} // and the type that has it
	keysOf(reflect.TypeFor[spec.Spec](), keys)
	for _, kinds := range node.Kinds() {
		for _, k := range kinds {
			if k.Params != nil {
				keysOf(reflect.TypeOf(k.Params()), keys)
			}
		}
	}
	if len(keys) < 100 {
		t.Fatalf("only %d keys are found", len(keys))
	}
	words := wordsOf(told.String())
	for key, of := range keys {
		if !words[key] {
			t.Errorf("no guide tells of the key `%s` of %s", key, of)
		}
	}
}

var wordOfKey = regexp.MustCompile(`[A-Za-z][A-Za-z0-9]*`)

func wordsOf(text string) map[string]bool {
	words := map[string]bool{}
	for _, w := range wordOfKey.FindAllString(text, -1) {
		words[w] = true
	}
	return words
}

// keysOf adds the keys of a type and of what it holds, each with the type that has it.
func keysOf(t reflect.Type, keys map[string]string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		keysOf(t.Elem(), keys)
	case reflect.Struct:
		if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
			return // written as one text
		}
		for _, f := range reflect.VisibleFields(t) {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.IsExported() || f.Anonymous || key == "" || key == "-" {
				continue
			}
			if f.Tag.Get("short") != "" {
				continue // nobody need write it: a plain value stands for it
			}
			keys[key] = t.String()
			keysOf(f.Type, keys) // no type of a spec holds itself
		}
	default: // a plain value
	}
}

// TestTimeoutsAreTold proves that the guide has each timeout with its default.
func TestTimeoutsAreTold(t *testing.T) {
	var rows [][]string
	for line := range strings.Lines(read(t, "docs/guide/l7.md")) {
		rows = append(rows, cells(strings.TrimSpace(line)))
	}
	defaults := reflect.ValueOf(spec.DefaultTimeouts())
	for i := range defaults.NumField() {
		key, _, _ := strings.Cut(defaults.Type().Field(i).Tag.Get("json"), ",")
		want := defaults.Field(i).Interface().(spec.Duration).String()
		if !slices.ContainsFunc(rows, func(r []string) bool { return len(r) == 3 && r[0] == "`"+key+"`" && r[2] == want }) {
			t.Errorf("docs/guide/l7.md has no row that says %s of the timeout `%s`", want, key)
		}
	}
}
