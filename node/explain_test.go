package node_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"portico/node"
	"portico/spec"
	"portico/spec/status"
)

// tiers is a node whose tiers answer as they are told, and remember the question.
type tiers struct {
	name  spec.NodeName
	next  map[spec.Role]string // a tier that is not in it has no answer
	asked map[spec.Role]status.Question
	err   error
}

func (f *tiers) ExplainTier(tier spec.Role, q status.Question) (status.Answer, bool, error) {
	if f.asked == nil {
		f.asked = map[spec.Role]status.Question{}
	}
	next, ok := f.next[tier]
	if !ok {
		return status.Answer{}, false, f.err
	}
	f.asked[tier] = q
	a := status.Answer{Tier: tier, Node: f.name}
	if next != "" {
		a.Next = []netip.AddrPort{netip.MustParseAddrPort(next)}
	}
	return a, true, nil
}

// TestExplain proves that the path is followed from tier to tier: each is asked
// with what the one before it answered, and it stops where the path ends.
func TestExplain(t *testing.T) {
	names := &tiers{name: "names", next: map[spec.Role]string{spec.RoleDNS: "192.0.2.1:443"}}
	edge := &tiers{name: "edge", next: map[spec.Role]string{spec.RoleL4: "10.0.0.31:443"}}
	proxy := &tiers{name: "proxy", next: map[spec.Role]string{spec.RoleL7: "10.0.1.1:80"}}
	silent := &tiers{name: "silent", next: map[spec.Role]string{spec.RoleDNS: ""}}
	tests := []struct {
		name string
		at   []node.Explainer
		url  string
		want []string
		vip  string // as l7 was told
		seat string
	}{
		{"whole path", []node.Explainer{edge, names, proxy}, "https://www.example.com/a", []string{"names", "edge", "proxy"}, "192.0.2.1:443", "10.0.0.31:443"},
		{"an address has no name", []node.Explainer{edge, names, proxy}, "https://192.0.2.9:8443/", []string{"edge", "proxy"}, "192.0.2.9:8443", "10.0.0.31:443"},
		{"without l4", []node.Explainer{names, proxy}, "http://www.example.com", []string{"names", "proxy"}, "192.0.2.1:80", "192.0.2.1:80"},
		{"a lone proxy", []node.Explainer{proxy}, "http://www.example.com:8080/", []string{"proxy"}, "invalid AddrPort", "invalid AddrPort"},
		{"a name without an answer", []node.Explainer{silent, edge, proxy}, "http://www.example.com/", []string{"silent"}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proxy.asked = nil
			answers, err := node.Explain(tt.at, "", status.Question{URL: tt.url})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range answers {
				got = append(got, string(a.Node))
			}
			if !slices.Equal(got, tt.want) {
				t.Fatalf("answered by %q, want %q", got, tt.want)
			}
			if q, ok := proxy.asked[spec.RoleL7]; ok && (q.VIP.String() != tt.vip || q.Seat.String() != tt.seat) {
				t.Errorf("l7 was asked about VIP %v at %v, want %s at %s", q.VIP, q.Seat, tt.vip, tt.seat)
			}
		})
	}
}

// TestExplainEnds proves that an address on which nobody listens is not told as if it
// were where the request goes.
func TestExplainEnds(t *testing.T) {
	names := &tiers{name: "names", next: map[spec.Role]string{spec.RoleDNS: "192.0.2.1:443"}}
	edge := &tiers{name: "edge", next: map[spec.Role]string{spec.RoleL4: "10.0.0.31:443"}}
	for _, tt := range []struct {
		at   []node.Explainer
		want bool
	}{{[]node.Explainer{names}, true}, {[]node.Explainer{names, edge}, false}} {
		answers, err := node.Explain(tt.at, "", status.Question{URL: "udp://www.example.com:80"})
		if err != nil {
			t.Fatal(err)
		}
		lines := answers[len(answers)-1].Lines
		said := len(lines) == 1 && strings.HasPrefix(lines[0].Text, "no node that was asked has a listener on 192.0.2.1:80")
		if said != tt.want {
			t.Errorf("asked of %d nodes, the last says %+v", len(tt.at), lines)
		}
	}
}

// TestExplainRefuses proves that what cannot be asked is refused with what could,
// and that the failure of a node is not taken for an answer.
func TestExplainRefuses(t *testing.T) {
	nobody := []node.Explainer{&tiers{}}
	broken := []node.Explainer{&tiers{err: errors.New("connection refused")}}
	for _, tt := range []struct {
		url  string
		at   []node.Explainer
		want string
	}{
		{"www.example.com", nobody, "is not a URL; use https://name/path"},
		{"127.0.0.1:8080/x", nobody, "is not a URL; use https://name/path"},
		{"tcp://www.example.com", nobody, "names no port"},
		{"http://www.example.com:0", nobody, "names no port"},
		{"http://www.example.com:99999", nobody, "names no port"},
		{"http://[::1", nobody, "missing"},
		{"http://www.example.com/", nobody, "nothing here answers"},
		{"http://www.example.com/", broken, "connection refused"},
	} {
		if _, err := node.Explain(tt.at, "", status.Question{URL: tt.url}); err == nil || strings.Count(err.Error(), tt.want) != 1 {
			t.Errorf("Explain(%s) = %v, want an error with %q, once", tt.url, err, tt.want)
		}
	}
}
