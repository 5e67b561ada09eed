package hashkey

import (
	"net/netip"
	"testing"

	"portico/l7/message"
	"portico/spec"
)

// TestKey proves which requests are alike to a balance that hashes.
func TestKey(t *testing.T) {
	a, b := "192.0.2.1:1000", "192.0.2.2:2000"
	tests := []struct {
		name  string
		key   Key
		x, y  message.Request
		alike bool
	}{
		{"client, another port", Key{}, from(a), from("192.0.2.1:1001"), true},
		{"client", Key{}, from(a), from(b), false},
		{"client by network", Key{prefix: spec.HashPrefix{V4: 24}}, from(a), from(b), true},
		{"client of another network", Key{prefix: spec.HashPrefix{V4: 24}}, from(a), from("192.0.3.1:1000"), false},
		{"header", by(spec.HashKey{Header: "x-user"}), from(a, "X-User", "bob"), from(b, "x-user", "bob"), true},
		{"another header", by(spec.HashKey{Header: "x-user"}), from(a, "X-User", "bob"), from(a, "X-User", "eve"), false},
		{"first of two headers", by(spec.HashKey{Header: "x-user"}), from(a, "X-User", "bob", "X-User", "eve"), from(b, "X-User", "bob"), true},
		{"no header, same client", by(spec.HashKey{Header: "x-user"}), from(a, "X-Other", "bob"), from(a), true},
		{"no header, other client", by(spec.HashKey{Header: "x-user"}), from(a), from(b), false},
		{"empty header is none", by(spec.HashKey{Header: "x-user"}), from(a, "X-User", ""), from(a), true},
		{"cookie", by(spec.HashKey{Cookie: "id"}), from(a, "Cookie", "a=1; id=7"), from(b, "Cookie", `id="7"; a=2`), true},
		{"another cookie", by(spec.HashKey{Cookie: "id"}), from(a, "Cookie", "id=7"), from(a, "Cookie", "id=8"), false},
		{"cookies know case", by(spec.HashKey{Cookie: "id"}), from(a, "Cookie", "ID=7"), from(a), true},
		{"query", by(spec.HashKey{Query: "u"}), at(a, "/x", "u=bob&v=1"), at(b, "/y", "v=2&u=bob"), true},
		{"query, encoded", by(spec.HashKey{Query: "u"}), at(a, "/", "u=b%6fb+1"), at(b, "/", "%75=bob%201"), true},
		{"another query", by(spec.HashKey{Query: "u"}), at(a, "/", "u=bob"), at(a, "/", "u=eve"), false},
		{"first of two parameters", by(spec.HashKey{Query: "u"}), at(a, "/", "u=bob&u=eve"), at(b, "/", "u=bob"), true},
		{"no parameter", by(spec.HashKey{Query: "u"}), at(a, "/", "v=bob"), at(a, "/", ""), true},
		{"path without query", by(spec.HashKey{From: "path"}), at(a, "/x", "u=1"), at(b, "/x", "u=2"), true},
		{"another path", by(spec.HashKey{From: "path"}), at(a, "/x", ""), at(a, "/y", ""), false},
		{"host", by(spec.HashKey{From: "host"}), from(a), from(b), true},
	}
	for _, tt := range tests {
		x, _ := tt.key.Of(&tt.x, nil)
		y, _ := tt.key.Of(&tt.y, nil)
		if (x == y) != tt.alike {
			t.Errorf("%s: keys %x and %x, alike should be %v", tt.name, x, y, tt.alike)
		}
	}
}

func by(k spec.HashKey) Key { return Key{HashKey: k} }

// from is a request of a client with fields: name, value, name, value.
func from(client string, fields ...string) message.Request {
	r := message.Request{Client: netip.MustParseAddrPort(client), Host: []byte("shop.test"), Path: []byte("/")}
	for i := 0; i < len(fields); i += 2 {
		r.Fields = append(r.Fields, message.Field{Name: []byte(fields[i]), Value: []byte(fields[i+1])})
	}
	return r
}

func at(client, path, query string) message.Request {
	r := from(client)
	r.Path, r.Query = []byte(path), []byte(query)
	return r
}

// TestKeyScratch proves that making a key leaves scratch as it was, and
// allocates nothing once it has grown.
func TestKeyScratch(t *testing.T) {
	k, r := by(spec.HashKey{Query: "u"}), at("192.0.2.1:1000", "/", "u=b%6fb")
	scratch := append(make([]byte, 0, 64), "before"...)
	if n := testing.AllocsPerRun(100, func() { _, scratch = k.Of(&r, scratch) }); n != 0 {
		t.Errorf("a key allocates %v times", n)
	}
	if string(scratch) != "before" {
		t.Errorf("scratch is %q", scratch)
	}
}
