package route_test

import (
	"bytes"
	"fmt"
	"testing"

	"portico/l7/message"
	"portico/spec"
)

// FuzzMatch proves that whatever bytes a request is made of, matching it ends, finds
// what trying every rule in turn finds, and leaves the request as it is.
func FuzzMatch(f *testing.F) {
	f.Add("/a/b", "a=1&b=%20", "a", "1", "a=b; c")
	f.Add("//", "&&=%zz&a", "", "", ";;=")
	f.Add("/a.B/C", "+", "content-type", "application/grpc+", "a=\"b\"")
	var rules []spec.Rule
	one := map[string]spec.TextMatch{"a": {Regex: "[0-9]+"}, "b": {Absent: true}}
	for i := range 6 {
		rules = append(
			rules,
			rule(spec.Match{Path: &spec.PathMatch{Regex: fmt.Sprintf("/a/%d|/(b+)+", i)}, Query: one}),
			rule(spec.Match{Query: map[string]spec.TextMatch{"a": {Exact: fmt.Sprint(i)}, "b c": {Present: true}}}),
			rule(spec.Match{Cookies: map[string]spec.TextMatch{"a": {Exact: fmt.Sprint(i)}}}),
			rule(spec.Match{Headers: map[string]spec.TextMatch{"a": {Prefix: fmt.Sprint(i)}}}),
			rule(spec.Match{GRPC: &spec.GRPCMatch{Method: fmt.Sprint("C", i)}}),
			rule(prefix(fmt.Sprintf("/a/b%d", i))),
		)
	}
	table := compile(f, &spec.Route{Name: "r", Rules: rules})
	f.Fuzz(func(t *testing.T, path, query, name, value, cookie string) {
		r := &message.Request{
			Method: []byte("GET"), Path: []byte(path), Query: []byte(query), Scratch: []byte("kept"),
			Fields: []message.Field{{Name: []byte(name), Value: []byte(value)}, {Name: []byte("Cookie"), Value: []byte(cookie)}},
		}
		want, wantOK, _ := table.Try(r)
		got, ok := table.Match(r)
		if show(got, ok) != show(want, wantOK) {
			t.Fatalf("Match found %s, trying found %s", show(got, ok), show(want, wantOK))
		}
		if string(r.Path) != path || string(r.Query) != query || !bytes.Equal(r.Scratch, []byte("kept")) {
			t.Fatalf("the request became %q ? %q, scratch %q", r.Path, r.Query, r.Scratch)
		}
	})
}
