package netns

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"portico/internal/testkit"
)

// Net is the namespaces of one test.
type Net struct {
	tb     testing.TB
	prefix string
}

// New makes an empty net, or skips the test where it cannot have one.
func New(tb testing.TB) *Net {
	tb.Helper()
	if os.Getuid() != 0 {
		testkit.Without(tb, "namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		testkit.Without(tb, "iproute2 is not installed")
	}
	// The process says whose a namespace is that was left; the text, of 128 random bits,
	// is that of one test alone.
	return &Net{tb: tb, prefix: fmt.Sprintf("pt%d-%s-", os.Getpid(), rand.Text())}
}

// Space is one namespace: a host or a router.
type Space struct {
	Name string // as ip netns knows it
	tb   testing.TB
}

// Add makes a namespace whose loopback interface is up.
func (n *Net) Add(name string) *Space {
	n.tb.Helper()
	s := &Space{Name: n.prefix + name, tb: n.tb}
	if out, err := exec.Command("ip", "netns", "add", s.Name).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "Operation not permitted") {
			testkit.Without(n.tb, "namespaces are not permitted here")
		}
		n.tb.Fatalf("ip netns add %s: %v: %s", s.Name, err, out)
	}
	n.tb.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", s.Name).CombinedOutput(); err != nil {
			n.tb.Errorf("ip netns del %s: %v: %s", s.Name, err, out)
		}
	})
	s.IP("link set lo up")
	return s
}

// Veth joins two namespaces: a has the end aIf, b the end bIf, each with addresses
// such as 10.0.1.1/24 or 2001:db8::1/64 and up. IPv6 addresses are usable at once.
func (n *Net) Veth(a *Space, aIf string, aAddrs []string, b *Space, bIf string, bAddrs []string) {
	n.tb.Helper()
	a.IP(fmt.Sprintf("link add %s type veth peer name %s netns %s", aIf, bIf, b.Name))
	a.link(aIf, aAddrs)
	b.link(bIf, bAddrs)
}

func (s *Space) link(name string, addrs []string) {
	s.tb.Helper()
	for _, addr := range addrs {
		s.Address(name, addr)
	}
	s.IP("link set dev " + name + " up")
}

// Address adds an address such as 10.0.1.1/24 to an interface, usable at once.
func (s *Space) Address(name, addr string) {
	s.tb.Helper()
	nodad := ""
	if strings.Contains(addr, ":") {
		nodad = " nodad" // also lo has one tentative for a moment
	}
	s.IP("addr add " + addr + " dev " + name + nodad)
}

// Path is the file that names the namespace.
func (s *Space) Path() string { return "/run/netns/" + s.Name }

// IP runs ip with these words in the namespace and returns what it printed; a
// failure ends the test.
func (s *Space) IP(words string) string {
	s.tb.Helper()
	return s.Output("ip", strings.Fields(words)...)
}

// Sysctl sets a value in the namespace: Sysctl("net/ipv4/ip_forward", "1").
func (s *Space) Sysctl(key, value string) {
	s.tb.Helper()
	s.Run(func() {
		if err := os.WriteFile("/proc/thread-self/root/proc/sys/"+key, []byte(value), 0o644); err != nil {
			s.tb.Errorf("sysctl %s=%s: %v", key, value, err)
		}
	})
}

// Output runs a program in the namespace and returns what it printed; a failure
// ends the test.
func (s *Space) Output(program string, args ...string) string {
	s.tb.Helper()
	out, err := s.Command(program, args...).CombinedOutput()
	if err != nil {
		s.tb.Fatalf("in %s: %s %s: %v: %s", s.Name, program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Command is a program that will run in the namespace. The process that is started
// is the program's own, and is killed when the test ends. It sees /sys and bpffs of
// the test, which it would not behind ip netns exec.
func (s *Space) Command(program string, args ...string) *exec.Cmd {
	return exec.CommandContext(s.tb.Context(), "nsenter", append([]string{"--net=" + s.Path(), program}, args...)...)
}

// Start starts a command that runs until the returned function, or the end of the
// test, kills it; both wait until it is gone.
func (s *Space) Start(cmd *exec.Cmd) (kill func()) {
	s.tb.Helper()
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("in %s: %v", s.Name, err)
	}
	killed := false
	kill = func() {
		if killed {
			return
		}
		killed = true
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	s.tb.Cleanup(kill)
	return kill
}

// Run runs fn on a thread inside the namespace and waits for it. Sockets that fn
// opens stay in the namespace; goroutines that it starts do not. fn may not call FailNow
// or what calls it.
func (s *Space) Run(fn func()) {
	s.tb.Helper()
	if err := s.enter(fn); err != nil {
		s.tb.Fatalf("enter %s: %v", s.Name, err)
	}
}

func (s *Space) enter(fn func()) error {
	there, err := os.Open(s.Path())
	if err != nil {
		return err
	}
	defer func() { _ = there.Close() }()
	done := make(chan error)
	go func() { done <- inside(there, fn) }()
	return <-done
}

// inside calls fn on a thread in a namespace. The thread then goes back to where it was
// and lives on: processes that it started may be killed when it ends.
func inside(there *os.File, fn func()) error {
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer func() { _ = here.Close() }()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	fn()
	if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // still locked, so that the thread ends with its goroutine
	}
	runtime.UnlockOSThread()
	return nil
}
