package relay

import (
	"testing"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// The first write of a socket needs no TCP_NODELAY, each later one has it.
func TestHasten(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer netx.CloseFD(fd)
	e := end{fd: fd}
	for write, want := range []int{0, 1, 1} {
		e.hasten()
		if got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); err != nil || got != want {
			t.Errorf("before write %d TCP_NODELAY is %d, %v, want %d", write+1, got, err, want)
		}
	}
}
