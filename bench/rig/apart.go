//go:build linux

package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Usual is the congestion control that Linux has where nobody chose another, and the
// benches with it. Others pace by timers, which cost the proxy whose core they end on:
// with bbr and no fq on the loopback they are a third of what a relay pays for a byte.
const Usual = "cubic"

// apartMark tells a run that it is the one in a network of its own.
const apartMark = "PORTICO_BENCH_CONGESTION"

// Apart runs this program again in a network of its own, where all connections have
// one congestion control, and returns true and how that ended; false when this is that
// run, or when there is to be none: congestion is empty, or the user is not root, who
// alone may make one. Then connections have what the machine gives them.
func Apart(ctx context.Context, congestion string) (bool, error) {
	switch {
	case isApart():
		return false, loopback(os.Getenv(apartMark))
	case congestion == "":
		return false, nil
	case os.Getuid() != 0:
		fmt.Fprintf(os.Stderr, "bench: only root can give all connections %s; they have %s\n", congestion, Congestion())
		return false, nil
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), apartMark+"="+congestion)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute // it stops what it started first
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return true, errors.New("it failed in its network, as said above")
	}
	return true, err
}

func isApart() bool { return os.Getenv(apartMark) != "" }

// Congestion is the congestion control that connections have.
func Congestion() string {
	if isApart() {
		return os.Getenv(apartMark)
	}
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// loopback sets up the only link of a new network. Routes choose the congestion
// control there; a new network's own sysctl may be out of reach in containers.
func loopback(congestion string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if lo.Attrs().Flags&net.FlagUp != 0 {
		return errors.New(apartMark + " is set, but this is not a new network: unset it")
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	for _, to := range []net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv4(127, 0, 0, 1).To4(), Mask: net.CIDRMask(32, 32)},
	} {
		err := netlink.RouteReplace(&netlink.Route{
			LinkIndex: lo.Attrs().Index, Dst: &to, Src: net.IPv4(127, 0, 0, 1),
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST, Protocol: unix.RTPROT_KERNEL,
			Congctl: congestion,
		})
		if err != nil {
			return fmt.Errorf("congestion control %q for %v: %w; the kernel lists what there is in /proc/sys/net/ipv4/tcp_available_congestion_control", congestion, &to, err)
		}
	}
	return nil
}
