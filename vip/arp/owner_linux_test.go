package arp_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/agree"
	"portico/internal/netx"
	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/spec"
	"portico/vip/arp"
)

// The addresses that two nodes strive for.
const (
	vip4 = "10.77.0.100"
	vip6 = "2001:db8:77::100"
)

// nodeVariable, when it is set, makes the test binary one of the nodes.
const nodeVariable = "PORTICO_TEST_ARP_NODE"

func TestMain(m *testing.M) {
	if self := os.Getenv(nodeVariable); self != "" {
		if err := runNode(spec.NodeName(self), os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// runNode strives for both addresses until SIGTERM, and tells whoever connects to
// one its name.
func runNode(self spec.NodeName, leases string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	n := arp.New(arp.Options{Self: self, Owner: agree.NewFiles(leases)})
	node := func(name spec.NodeName, addr string) spec.Node {
		return spec.Node{Name: name, Address: netip.MustParseAddr(addr), Roles: []spec.Role{spec.RoleVIP, spec.RoleL4}}
	}
	a, b := netip.MustParseAddr(vip4), netip.MustParseAddr(vip6)
	want := &spec.Spec{
		Sites: []spec.Site{{Name: "lan", Nodes: []spec.Node{node("a", "10.77.0.1"), node("b", "10.77.0.2")}}},
		VIPs:  []spec.VIP{{Name: "v", Announce: spec.AnnounceARP, Addresses: map[spec.SiteName][]netip.Addr{"lan": {a, b}}}},
	}
	if err := n.Apply(want); err != nil {
		return err
	}
	for _, addr := range []netip.Addr{a, b} {
		list, err := netx.ListenMany(ctx, netip.AddrPortFrom(addr, 80), 1, netx.Options{Floating: true})
		if err != nil {
			return err
		}
		go func() {
			for {
				c, err := list[0].Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte(self))
				_ = c.Close()
			}
		}()
	}
	n.Announce([]arp.Wish{{Addr: a}, {Addr: b}})
	_ = n.Run(ctx) // it ends with ctx
	return nil
}

// lan is two nodes and a watcher on one bridge.
type lan struct {
	t      *testing.T
	dir    string // what the nodes' folders of leases lead to
	spaces map[string]*netns.Space
	cmds   map[string]*exec.Cmd
	macs   map[string]string // to the name of the node
	watch  *watcher
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	net := netns.New(t)
	l := &lan{t: t, dir: t.TempDir(), spaces: map[string]*netns.Space{}, cmds: map[string]*exec.Cmd{}, macs: map[string]string{}}
	w := net.Add("w")
	w.IP("link add br0 type bridge")
	w.Address("br0", "10.77.0.9/24")
	w.Address("br0", "2001:db8:77::9/64")
	w.IP("link set br0 up")
	for i, name := range []string{"a", "b"} {
		s := net.Add(name)
		net.Veth(w, "w"+name, nil, s, "eth0", []string{fmt.Sprintf("10.77.0.%d/24", i+1), fmt.Sprintf("2001:db8:77::%d/64", i+1)})
		w.IP("link set w" + name + " master br0")
		l.spaces[name] = s
		l.macs[macOf(s)] = name
		l.partition(name, false)
	}
	l.watch = newWatcher(t, w, l.macs)
	return l
}

// macOf is the MAC of eth0 in a namespace.
func macOf(s *netns.Space) string {
	words := strings.Fields(s.IP("-o link show dev eth0"))
	for i, w := range words {
		if w == "link/ether" {
			return words[i+1]
		}
	}
	return ""
}

func (l *lan) folder(name string) string { return filepath.Join(l.dir, "to-"+name) }

// partition cuts a node off the leases, or heals that.
func (l *lan) partition(name string, cut bool) {
	l.t.Helper()
	leases := filepath.Join(l.dir, "leases")
	err := os.MkdirAll(leases, 0o755)
	if err == nil && cut {
		err = os.Rename(l.folder(name), l.folder(name)+".cut")
		if err == nil {
			err = os.WriteFile(l.folder(name), nil, 0o600) // no folder can be made here
		}
	} else if err == nil {
		_ = os.Remove(l.folder(name))
		err = os.Symlink(leases, l.folder(name))
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lan) start(name string) {
	l.t.Helper()
	cmd := l.spaces[name].Command(os.Args[0], l.folder(name))
	cmd.Env = append(os.Environ(), nodeVariable+"="+name)
	cmd.Stderr = os.Stderr
	l.spaces[name].Start(cmd)
	l.cmds[name] = cmd
}

func (l *lan) signal(name string, s os.Signal) {
	l.t.Helper()
	if err := l.cmds[name].Process.Signal(s); err != nil {
		l.t.Fatal(err)
	}
}

// owner waits until a node other than this answers for the IPv4 address and serves
// clients there, and says which, and how long each took.
func (l *lan) owner(notThis string) (name string, answers, serves time.Duration) {
	l.t.Helper()
	start := time.Now()
	testkit.Poll(l.t, 60*time.Second, func() error {
		if name = l.watch.last("arp"); name == "" || name == notThis {
			return fmt.Errorf("%q answers for %s", name, vip4)
		}
		return nil
	})
	answers = time.Since(start)
	testkit.Poll(l.t, 60*time.Second, func() error {
		if got := l.watch.last("tcp"); got != name {
			return fmt.Errorf("%q serves at %s, and %q answers for it", got, vip4, name)
		}
		return nil
	})
	return name, answers, time.Since(start)
}

// TestOneOwner proves with real processes and a real kernel that an address has one
// owner: it is partitioned, frozen and resumed, and killed, and each time the other
// takes over, while a third host asks for the address all the time, by ARP, neighbor
// discovery and TCP, and never hears both at once. A node that comes back leaves the
// address where it is.
func TestOneOwner(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 15 seconds")
	}
	l := newLAN(t)
	l.start("a")
	l.start("b")
	first, _, _ := l.owner("")

	l.partition(first, true)
	second, answers, serves := l.owner(first)
	t.Logf("partitioned: another answers after %v, serves after %v (goal 3s)", answers, serves)
	l.partition(first, false)

	l.signal(second, unix.SIGSTOP)
	third, answers, serves := l.owner(second)
	t.Logf("frozen: another answers after %v, serves after %v (goal 3s)", answers, serves)
	l.signal(second, unix.SIGCONT)
	l.watch.quiet(time.Second)

	l.signal(third, unix.SIGKILL)
	fourth, answers, serves := l.owner(third)
	t.Logf("killed: another answers after %v, serves after %v (goal 3s)", answers, serves)
	_ = l.cmds[third].Wait()
	l.start(third)
	l.watch.quiet(time.Second)

	if first == second || second == third || third == fourth {
		t.Errorf("owners were %s, %s, %s, %s", first, second, third, fourth)
	}
	l.watch.judge(map[string]int{"arp": 3, "tcp": 3})
}
