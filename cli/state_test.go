package cli

import (
	"os"
	"testing"
)

// TestStateDir proves which folder a process keeps its state in: what the command
// says, then what systemd does, then what is usual for the user.
func TestStateDir(t *testing.T) {
	usual := "/home/ann/.local/state/portico"
	if os.Geteuid() == 0 {
		usual = "/var/lib/portico"
	}
	for _, c := range []struct{ flag, systemd, want string }{
		{"/given", "/unit", "/given"},
		{"", "/unit", "/unit"},
		{"", "/unit:/second", "/unit"},
		{"", "", usual},
	} {
		t.Setenv("HOME", "/home/ann")
		t.Setenv("XDG_STATE_HOME", "")
		t.Setenv("STATE_DIRECTORY", c.systemd)
		if got := (runFlags{state: c.flag}).stateDir(); got != c.want {
			t.Errorf("--state %q with STATE_DIRECTORY=%q: %s, want %s", c.flag, c.systemd, got, c.want)
		}
	}
}
