package cli

import (
	"net"
	"slices"
	"testing"

	"portico/node"
)

// TestQuickSource proves that the spec that flags stand for is one that a node
// takes, and that a port alone is every address of every family there is.
func TestQuickSource(t *testing.T) {
	every := []string{"0.0.0.0"}
	if ln, err := net.Listen("tcp", "[::1]:0"); err == nil {
		_ = ln.Close()
		every = append(every, "::")
	}
	for _, tt := range []struct {
		listen string
		want   []string
	}{
		{":8080", every},
		{"192.0.2.1:8080", []string{"192.0.2.1"}},
		{"[::1]:8080", []string{"::1"}},
	} {
		from, err := quickSource(tt.listen, []string{"127.0.0.1:3000", "[::1]:3001"})
		if err != nil {
			t.Fatalf("%s: %v", tt.listen, err)
		}
		sources, err := from.read()
		if err != nil {
			t.Fatal(err)
		}
		want, report := node.Load(sources, "")
		if report.Fatal() {
			t.Fatalf("%s: %+v", tt.listen, report.Problems())
		}
		var got []string
		for _, b := range want.L7Binds("quick") {
			got = append(got, b.Address.Addr().String())
			if b.Address.Port() != 8080 || b.For(b.Address.Addr()) == nil {
				t.Errorf("%s binds %v for no listener", tt.listen, b.Address)
			}
		}
		if !slices.Equal(got, tt.want) || len(want.TargetGroups[0].Targets) != 2 {
			t.Errorf("%s binds %v to %d targets, want %v to 2", tt.listen, got, len(want.TargetGroups[0].Targets), tt.want)
		}
	}
	for _, bad := range []string{"8080", "name:8080", "[::1]"} {
		if _, err := quickSource(bad, []string{"127.0.0.1:1"}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := quickSource(":1", []string{"localhost:1"}); err == nil {
		t.Error("a name was taken for a target")
	}
}
