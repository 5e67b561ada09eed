package node_test

import (
	"reflect"
	"strings"
	"testing"

	"portico/config"
	"portico/node"
	"portico/spec"
	"portico/target/balance"
)

// decode reads a spec with one target group of that balance.
func decode(text string) (*spec.Choice, string) {
	s, report := config.Load([]spec.Source{{Name: "a.yaml", Text: []byte(
		"portico: v1\ntargetGroups: [{name: g, balance: " + text + ", targets: [\"10.0.0.1:80\"]}]\n")}}, node.Kinds())
	var said strings.Builder
	_ = report.Write(&said) // a builder takes everything
	if report.Fatal() {
		return nil, said.String()
	}
	return s.TargetGroups[0].Balance, said.String()
}

// TestBalanceDefaults proves that an algorithm without parameters in a file has
// those that it has where no file was read.
func TestBalanceDefaults(t *testing.T) {
	for _, a := range balance.All() {
		got, said := decode(a.Name)
		if got == nil {
			t.Errorf("%s alone is refused:\n%s", a.Name, said)
			continue
		}
		var want any
		if a.Params != nil {
			want = a.Params()
		}
		if !reflect.DeepEqual(got.Params, want) {
			t.Errorf("%s alone has parameters %+v, want %+v", a.Name, got.Params, want)
		}
	}
}

// TestBalanceParams proves how parameters are written, and what is said of those
// that cannot be.
func TestBalanceParams(t *testing.T) {
	tests := []struct {
		text string
		want any    // parameters
		said string // in place of them
	}{
		{`{maglev: {key: {header: X-User}}}`, spec.HashKey{Header: "X-User"}, ""},
		{`{rendezvous: {key: {cookie: id}}}`, spec.HashKey{Cookie: "id"}, ""},
		{`{ring-hash: {key: {query: user}, loadMax: 150}}`, spec.HashKey{Query: "user"}, ""},
		{`{ring-hash: {key: path}}`, spec.HashKey{From: "path"}, ""},
		{`{maglev: {key: client, prefix: {v4: 24, v6: 56}}}`, spec.HashKey{From: "client"}, ""},
		{`{maglev: {key: claim}}`, nil, `unknown key "claim"; use one of "client", "host", "path", or {header: …}, {cookie: …}, {query: …}`},
		{`{maglev: {key: {header: a, cookie: b}}}`, nil, `exclude each other`},
		{`{maglev: {key: {header: "a b"}}}`, nil, `"a b" is not the name of a header`},
		{`{maglev: {prefix: {v4: 33}}}`, nil, `33`},
		{`{ring-hash: {loadMax: 100}}`, nil, `101`},
		{`{least-conn: {key: path}}`, nil, `"least-conn" takes no parameters`},
		{`{first: {limit: 0}}`, nil, `0`},
		{`{first: {key: path}}`, nil, `"key"`},
	}
	for _, tt := range tests {
		got, said := decode(tt.text)
		if tt.want == nil {
			if got != nil || !strings.Contains(said, tt.said) {
				t.Errorf("%s: want %q, said\n%s", tt.text, tt.said, said)
			}
			continue
		}
		if got == nil {
			t.Errorf("%s is refused:\n%s", tt.text, said)
			continue
		}
		if key, _ := got.Params.(spec.Hashing).Hashed(); key != tt.want {
			t.Errorf("%s hashes %+v, want %+v", tt.text, key, tt.want)
		}
	}
}
