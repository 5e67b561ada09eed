package spec_test

import (
	"net/netip"
	"testing"

	"portico/spec"
)

// TestHashPrefix proves what of an address is hashed: an IPv4 address mapped into
// IPv6 is one of IPv4, zones and what stands behind the prefix are left out, and
// zero is all of it.
func TestHashPrefix(t *testing.T) {
	tests := []struct {
		name   string
		prefix spec.HashPrefix
		addr   string
		want   string
	}{
		{"all of IPv4", spec.HashPrefix{}, "192.0.2.77", "192.0.2.77"},
		{"all of IPv6", spec.HashPrefix{}, "2001:db8::77", "2001:db8::77"},
		{"a /24", spec.HashPrefix{V4: 24, V6: 56}, "192.0.2.77", "192.0.2.0"},
		{"a /24 mapped", spec.HashPrefix{V4: 24, V6: 56}, "::ffff:192.0.2.77", "192.0.2.0"},
		{"a /56", spec.HashPrefix{V4: 24, V6: 56}, "2001:db8:1:2ff::77", "2001:db8:1:200::"},
		{"zone", spec.HashPrefix{V6: 128}, "fe80::1%eth0", "fe80::1"},
		{"longer than it is", spec.HashPrefix{V4: 64}, "192.0.2.77", "192.0.2.77"},
	}
	for _, tt := range tests {
		if got := tt.prefix.Of(netip.MustParseAddr(tt.addr)); got != netip.MustParseAddr(tt.want) {
			t.Errorf("%s: Of(%s) = %s, want %s", tt.name, tt.addr, got, tt.want)
		}
	}
	if got := (spec.HashPrefix{V4: 24}).Of(netip.Addr{}); got.IsValid() {
		t.Errorf("Of no address = %s", got)
	}
}

// TestHashKeyText proves what people read of a key.
func TestHashKeyText(t *testing.T) {
	for want, k := range map[string]spec.HashKey{
		"client": {}, "path": {From: "path"}, "header X-User": {Header: "X-User"},
		"cookie id": {Cookie: "id"}, "query user": {Query: "user"},
	} {
		if got := k.String(); got != want {
			t.Errorf("%#v reads %q, want %q", k, got, want)
		}
	}
}
