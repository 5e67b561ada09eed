package capability_test

import (
	"errors"
	"fmt"
	"syscall"
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

// TestAdvise proves that what is not permitted is answered with what would grant it,
// and that other errors stay what they are.
func TestAdvise(t *testing.T) {
	refused := fmt.Errorf("put: %w", syscall.EPERM)
	got := capability.NetRaw.Advise(refused)
	if want := refused.Error() + "; " + capability.NetRaw.Grant(); !errors.Is(got, syscall.EPERM) || got.Error() != want {
		t.Errorf("Advise = %v, want %s", got, want)
	}
	for _, other := range []error{nil, syscall.ENODEV} {
		if got := capability.NetRaw.Advise(other); got != other { //nolint:errorlint // the very same
			t.Errorf("Advise(%v) = %v", other, got)
		}
	}
}
