package l7

import (
	"net/netip"
	"testing"

	"portico/l7/exchange/outcome"
	"portico/spec"
	"portico/target/balance"
)

// hashed is a balance with that key.
func hashed(name string, key spec.HashKey) *spec.Choice {
	return &spec.Choice{Name: name, Params: &balance.Hash{Key: key}}
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
		p.h.Next(&p.req, &p.d, outcome.TargetConnectFailed)
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
