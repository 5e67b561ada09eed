package netx_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// path is three network namespaces in a row: a sender, a router, a receiver. The
// link to the receiver takes smaller packets than the one to the sender, and the
// router's messages about that are lost.
type path struct {
	t     *testing.T
	names [3]string
}

func newPath(t *testing.T) *path {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip")
	}
	p := &path{t: t}
	for i, role := range []string{"a", "r", "b"} {
		p.names[i] = fmt.Sprintf("pmtu%d%s", os.Getpid(), role)
		if out, err := exec.Command("ip", "netns", "add", p.names[i]).CombinedOutput(); err != nil {
			t.Skipf("needs network namespaces: %v %s", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", p.names[i]).Run() })
		p.ip(i, "link", "set", "lo", "up")
	}
	p.link(0, "10.91.0.1", "10.91.0.2", 1500)
	p.link(1, "10.92.0.2", "10.92.0.1", 1300)
	p.ip(0, "route", "add", "default", "via", "10.91.0.2")
	p.ip(2, "route", "add", "default", "via", "10.92.0.2")
	p.in(1, func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
	})
	// What the router itself says to the sender goes nowhere.
	p.ip(1, "rule", "add", "iif", "lo", "ipproto", "icmp", "blackhole")
	return p
}

// ip runs a command in a namespace.
func (p *path) ip(i int, args ...string) {
	p.t.Helper()
	if out, err := exec.Command("ip", append([]string{"-n", p.names[i]}, args...)...).CombinedOutput(); err != nil {
		p.t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
}

// link joins a namespace with the next. The far end of the narrow one takes large
// packets, so that its segments are not small for its own sake.
func (p *path) link(i int, near, far string, mtu int) {
	p.t.Helper()
	a, b := fmt.Sprintf("v%da", i), fmt.Sprintf("v%db", i)
	p.ip(i, "link", "add", a, "type", "veth", "peer", "name", b, "netns", p.names[i+1])
	p.ip(i, "addr", "add", near+"/24", "dev", a)
	p.ip(i+1, "addr", "add", far+"/24", "dev", b)
	p.ip(i, "link", "set", a, "mtu", fmt.Sprint(mtu), "up")
	p.ip(i+1, "link", "set", b, "mtu", "1500", "up")
}

// in runs do with the sockets of a namespace.
func (p *path) in(i int, do func()) {
	p.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with its goroutine
		f, err := os.Open("/run/netns/" + p.names[i])
		if err != nil {
			p.t.Error(err)
			return
		}
		defer func() { _ = f.Close() }()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			p.t.Error(err)
			return
		}
		do()
	}()
	<-done
}

// TestPathMTU proves what becomes of a connection whose path loses large packets
// and the messages about them: it stalls, unless its segments are small or
// routers may cut its packets.
func TestPathMTU(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for connections that stall")
	}
	p := newPath(t)
	tests := []struct {
		name    string
		o       netx.Options
		arrives bool
	}{
		{"nothing is done", netx.Options{}, false},
		{"small segments", netx.Options{MSS: 1200}, true},
		{"fragments", netx.Options{Fragment: true}, true},
	}
	content := bytes.Repeat([]byte("large packets "), 5000)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan int, 1)
			var at netip.AddrPort
			p.in(2, func() {
				l, err := netx.Listen(t.Context(), netip.MustParseAddrPort("10.92.0.1:0"))
				if err != nil {
					t.Error(err)
					return
				}
				at = addrOf(l.Addr())
				go func() {
					defer func() { _ = l.Close() }()
					c, err := l.AcceptTCP()
					if err != nil {
						got <- -1
						return
					}
					defer func() { _ = c.Close() }()
					_ = c.SetDeadline(time.Now().Add(5 * time.Second))
					n, _ := io.Copy(io.Discard, c)
					got <- int(n)
				}()
			})
			p.in(0, func() {
				c, err := netx.Dialer{Options: tt.o}.Dial(t.Context(), at)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = c.Close() }()
				_, _ = c.Write(content)
			})
			if n := <-got; (n == len(content)) != tt.arrives {
				t.Errorf("%d of %d bytes arrived, want all of them: %v", n, len(content), tt.arrives)
			}
		})
	}
}
