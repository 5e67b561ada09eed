package cli

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLiving proves that a socket that a dead process left is passed over, and
// that a process that does not answer is named and waited for no longer than a
// moment.
func TestLiving(t *testing.T) {
	dir := t.TempDir()
	if len(dir) > 80 {
		t.Skip("the name of the temporary folder is too long for a socket")
	}
	t.Setenv("PORTICO_SOCKETS", dir)
	listen := func(name string) *net.UnixListener {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	dead := listen("dead.sock")
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	if _, err := living(t.Context()); err == nil || !strings.Contains(err.Error(), "no portico of this user runs here") {
		t.Errorf("with a dead socket alone: %v", err)
	}

	hung := listen("hung.sock") // takes connections and says nothing
	defer func() { _ = hung.Close() }()
	begun := time.Now()
	if _, err := living(t.Context()); err == nil || !strings.Contains(err.Error(), "hung.sock") {
		t.Errorf("with a hung process: %v, want it named", err)
	}
	if took := time.Since(begun); took > 3*answerWithin {
		t.Errorf("it waited %v", took)
	}
}
