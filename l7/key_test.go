package l7

import (
	"net/netip"
	"testing"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
	"portico/target/balance"
)

// hashed is a balance with that key.
func hashed(name string, key spec.HashKey) *spec.Choice {
	return &spec.Choice{Name: name, Params: &balance.Hash{Key: key}}
}

// TestHashKey proves which requests are alike to a balance that hashes.
func TestHashKey(t *testing.T) {
	a, b := "192.0.2.1:1000", "192.0.2.2:2000"
	tests := []struct {
		name  string
		key   hashKey
		x, y  message.Request
		alike bool
	}{
		{"client, another port", hashKey{}, from(a), from("192.0.2.1:1001"), true},
		{"client", hashKey{}, from(a), from(b), false},
		{"client by network", hashKey{prefix: spec.HashPrefix{V4: 24}}, from(a), from(b), true},
		{"client of another network", hashKey{prefix: spec.HashPrefix{V4: 24}}, from(a), from("192.0.3.1:1000"), false},
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
		x, _ := tt.key.of(&tt.x, nil)
		y, _ := tt.key.of(&tt.y, nil)
		if (x == y) != tt.alike {
			t.Errorf("%s: keys %x and %x, alike should be %v", tt.name, x, y, tt.alike)
		}
	}
}

func by(k spec.HashKey) hashKey { return hashKey{HashKey: k} }

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

// TestHashKeyScratch proves that making a key leaves scratch as it was, and
// allocates nothing once it has grown.
func TestHashKeyScratch(t *testing.T) {
	k, r := by(spec.HashKey{Query: "u"}), at("192.0.2.1:1000", "/", "u=b%6fb")
	scratch := append(make([]byte, 0, 64), "before"...)
	if n := testing.AllocsPerRun(100, func() { _, scratch = k.of(&r, scratch) }); n != 0 {
		t.Errorf("a key allocates %v times", n)
	}
	if string(scratch) != "before" {
		t.Errorf("scratch is %q", scratch)
	}
}

// TestHashKeyOnce proves that a key is made only for balances that hash, and once
// for a request however many targets are tried.
func TestHashKeyOnce(t *testing.T) {
	tests := []struct {
		name    string
		balance *spec.Choice
		want    bool
	}{
		{"none", nil, false},
		{"least-conn", &spec.Choice{Name: "least-conn"}, false},
		{"maglev", &spec.Choice{Name: "maglev"}, true},
		{"rendezvous", hashed("rendezvous", spec.HashKey{From: "path"}), true},
	}
	for _, tt := range tests {
		p := newPlayer(t, plainRule, func(g *spec.TargetGroup) { g.Balance = tt.balance })
		p.begin()
		st := p.d.State.(*state)
		if st.keyed != tt.want {
			t.Errorf("%s: a key was made is %v", tt.name, st.keyed)
		}
		if !tt.want {
			continue
		}
		st.key = 42 // made again it would be another
		p.h.Next(&p.req, &p.d, exchange.TargetConnectFailed)
		if st.key != 42 {
			t.Errorf("%s: the key was made again for the next target", tt.name)
		}
		p.d.Target.End()
	}
}

// TestHashKeyKeeps proves that requests with the same key go to the same target,
// whoever sends them, and that different keys go to all of them.
func TestHashKeyKeeps(t *testing.T) {
	for _, name := range []string{"maglev", "rendezvous"} {
		p := newPlayer(t, plainRule, func(g *spec.TargetGroup) { g.Balance = hashed(name, spec.HashKey{Query: "u"}) })
		used := map[netip.AddrPort]bool{}
		for _, user := range []string{"ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jon"} {
			targets := map[netip.AddrPort]bool{}
			for i := range 10 {
				p.client.Peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 4711)
				p.query = []byte("u=" + user)
				p.play(0)
				targets[p.d.Address], used[p.d.Address] = true, true
			}
			if len(targets) != 1 {
				t.Errorf("%s: requests of %s went to %v", name, user, targets)
			}
		}
		if len(used) != 3 {
			t.Errorf("%s: ten users are on %d of 3 targets", name, len(used))
		}
	}
}
