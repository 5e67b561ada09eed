package netns_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico/internal/testkit/netns"
)

// TestVeth proves that two namespaces reach each other over both families, by
// sockets of the test and by programs, and that nothing of them is left.
func TestVeth(t *testing.T) {
	var names []string
	t.Run("net", func(t *testing.T) {
		n := netns.New(t)
		a, b := n.Add("a"), n.Add("b")
		names = append(names, a.Name, b.Name)
		n.Veth(a, "ab", []string{"10.9.0.1/24", "2001:db8:9::1/64"}, b, "ba", []string{"10.9.0.2/24", "2001:db8:9::2/64"})
		for _, host := range []string{"10.9.0.2", "2001:db8:9::2"} {
			var l net.Listener
			var err error
			b.Run(func() { l, err = net.Listen("tcp", net.JoinHostPort(host, "0")) })
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			a.Run(func() {
				var c net.Conn
				if c, err = net.DialTimeout("tcp", l.Addr().String(), 5*time.Second); err == nil {
					_ = c.Close()
				}
			})
			if err != nil {
				t.Errorf("from a to b: %v", err)
			}
		}
		a.Sysctl("net/ipv4/ip_forward", "1")
		if got := strings.TrimSpace(a.Output("cat", "/proc/sys/net/ipv4/ip_forward")); got != "1" {
			t.Errorf("ip_forward in a = %s, want 1", got)
		}
		if got := strings.TrimSpace(b.Output("cat", "/proc/sys/net/ipv4/ip_forward")); got != "0" {
			t.Errorf("ip_forward in b = %s, want 0", got)
		}
		b.Start(b.Command("sleep", "60"))
	})
	list, err := exec.Command("ip", "netns", "list").CombinedOutput()
	if err != nil {
		return // skipped
	}
	for _, name := range names {
		if strings.Contains(string(list), name) {
			t.Errorf("%s is left", name)
		}
	}
}

// TestOutlive proves that a process which is to die with the thread that started it
// outlives a visit of that thread to a namespace, after which the thread is where it was.
func TestOutlive(t *testing.T) {
	n := netns.New(t)
	a, b := n.Add("a"), n.Add("b")
	here := func() string {
		link, err := os.Readlink("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
		}
		return link
	}
	home := here()
	child := b.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	a.Run(func() {
		if here() == home {
			t.Error("not in the namespace")
		}
		b.Start(child)
	})
	for range 100 { // on whatever threads there are
		at := make(chan string)
		go func() { at <- here() }()
		if got := <-at; got != home {
			t.Fatalf("a goroutine runs in %s, want %s", got, home)
		}
	}
	state, err := os.ReadFile("/proc/" + strconv.Itoa(child.Process.Pid) + "/stat")
	if err != nil || strings.Contains(string(state), ") Z ") {
		t.Errorf("the process ended: %s, %v", state, err)
	}
}
