package capability_test

import (
	"testing"

	"portico/internal/capability"
)

// TestString proves that capabilities are named, and that those nobody here uses are
// counted.
func TestString(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  capability.Set
		want string
	}{
		{"none", 0, "none"},
		{"two", capability.NetRaw | capability.NetBindService, "CAP_NET_BIND_SERVICE, CAP_NET_RAW"},
		{"unknown", capability.BPF | 1 | 1<<62, "CAP_BPF, 2 others"},
	} {
		if got := tt.set.String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
