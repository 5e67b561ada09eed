package netx_test

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// A source binds without a port: the kernel then chooses one at connect, and
// thousands of resting connections to one target leave the ports of all others
// alone.
func TestSourceBindsWithoutPort(t *testing.T) {
	for _, at := range []string{"127.0.0.1", "::1"} {
		client, _ := pair(t, netx.Dialer{Source: netip.MustParseAddr(at)}, netip.AddrPortFrom(netip.MustParseAddr(at), 0).String())
		raw, err := client.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		on := 0
		if ctlErr := raw.Control(func(fd uintptr) {
			on, err = unix.GetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT)
		}); ctlErr != nil || err != nil {
			t.Fatal(ctlErr, err)
		}
		if on != 1 {
			t.Errorf("IP_BIND_ADDRESS_NO_PORT from %s is %d, want 1", at, on)
		}
	}
}
