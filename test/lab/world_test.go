//go:build linux

package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
	"time"

	"portico/internal/testkit"
	"portico/internal/testkit/netns"
)

// The VIP, on every l4 node; or, where packets arrive whole, on every l7 node.
const (
	vip4 = "198.18.100.1"
	vip6 = "2001:db8:100::1"
	port = "80"
)

// arm is one way to run a drill.
type arm struct {
	// name says what the mechanism is, or that it is off.
	name string
	// mode is how packets reach an l7 node: relay, gue, ip6ip6 or nat.
	mode string
	// l4 is how many l4 nodes there are; 0 means 2.
	l4 int
	// routes is how the router knows the l4 nodes; the zero value is static.
	routes routing
	// drain is the drain bound; "" means 10s.
	drain string
	// mtu is that of the links between the router and the nodes; 0 means 1600.
	mtu int
}

// host is one machine: a namespace with one link to the router.
type host struct {
	*netns.Space
	name   string
	v4, v6 string // its addresses
	via    string // the router's end of its link
}

// world is what one arm of a drill happens in:
//
//	client ─ router ─┬─ l4-1, l4-2, l4-3
//	                 ├─ l7-1, l7-2, l7-3
//	                 └─ target-1, target-2, target-3
type world struct {
	t      *testing.T
	arm    arm
	dir    string
	client *host
	router *netns.Space
	l4, l7 []*host
	target []*host
	nodes  map[string]*node
	net    *netns.Net
	began  time.Time
}

// log says what has happened, and when.
func (w *world) log(what string) {
	w.t.Helper()
	w.t.Logf("%5.2f s: %s", time.Since(w.began).Seconds(), what)
}

// build makes the hosts, and starts router, targets and nodes, until all are healthy
// and traffic flows.
func build(t *testing.T, a arm) *world {
	t.Helper()
	if os.Getenv(asked) == "" {
		t.Skip("a drill of make lab")
	}
	a.l4, a.mtu = max(a.l4, 2), max(a.mtu, 1600)
	if a.drain == "" {
		a.drain = "10s"
	}
	dir, err := os.MkdirTemp(os.Getenv(contained), "w") //nolint:usetesting // a socket's path is bounded, and t.TempDir is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, arm: a, dir: dir, net: netns.New(t), nodes: map[string]*node{}, began: time.Now()}
	w.router = w.net.Add("r")
	w.forward()
	w.client = w.host("client", 0, 1500)
	w.l4 = w.hosts("l4", 10, a.l4)
	w.l7 = w.hosts("l7", 20, 3)
	w.target = w.hosts("target", 30, 3)
	w.serveTargets()
	w.writeSpec()
	w.startNodes()
	w.route()
	w.log("the world is built")
	return w
}

func (w *world) hosts(role string, base, n int) []*host {
	w.t.Helper()
	var all []*host
	for i := range n {
		all = append(all, w.host(fmt.Sprintf("%s-%d", role, i+1), base+i+1, w.arm.mtu))
	}
	return all
}

// host makes a machine on link number n, whose default route is the router.
func (w *world) host(name string, n, mtu int) *host {
	w.t.Helper()
	h := &host{
		Space: w.net.Add(name), name: name, via: "to-" + name,
		v4: fmt.Sprintf("198.18.%d.2", n), v6: fmt.Sprintf("2001:db8:%d::2", n),
	}
	w.net.Veth(w.router, h.via, []string{fmt.Sprintf("198.18.%d.1/24", n), fmt.Sprintf("2001:db8:%d::1/64", n)},
		h.Space, "eth0", []string{h.v4 + "/24", h.v6 + "/64"})
	for _, end := range []struct {
		in   *netns.Space
		name string
	}{{w.router, h.via}, {h.Space, "eth0"}} {
		end.in.IP(fmt.Sprintf("link set %s mtu %d", end.name, mtu))
		// Without a card nobody would fill in checksums; and with GRO a veth takes
		// packets that a program at its other end sends back.
		end.in.Output("ethtool", "-K", end.name, "tx", "off", "gro", "on")
	}
	h.IP(fmt.Sprintf("route add default via 198.18.%d.1", n))
	h.IP(fmt.Sprintf("-6 route add default via 2001:db8:%d::1", n))
	return h
}

func (w *world) forward() {
	for _, key := range []string{
		"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding",
		"net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy",
	} {
		w.router.Sysctl(key, "1")
	}
}

func (w *world) serveTargets() {
	w.t.Helper()
	for _, h := range w.target {
		argv, env := self("target", h.name, fmt.Sprintf("%s:%d", h.v4, targetPort))
		cmd := h.Command(argv[0], argv[1:]...)
		cmd.Env = env
		start(w.t, h.name, cmd, nil)
	}
}

// specPath is the spec of all nodes.
func (w *world) specPath() string { return filepath.Join(w.dir, "lab.yaml") }

// writeSpec writes the spec for what the world is now.
func (w *world) writeSpec() {
	w.t.Helper()
	t, err := template.ParseFiles("testdata/lab.yaml.tmpl")
	if err != nil {
		w.t.Fatal(err)
	}
	var text bytes.Buffer
	if err := t.Execute(&text, w.view()); err != nil {
		w.t.Fatal(err)
	}
	// A rename, so that no reader sees half a file.
	next := w.specPath() + ".next"
	if err := os.WriteFile(next, text.Bytes(), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(next, w.specPath()); err != nil {
		w.t.Fatal(err)
	}
}

// view is what the template of the spec is filled with.
func (w *world) view() map[string]any {
	return map[string]any{
		"L4": w.addresses(w.l4), "L7": w.addresses(w.l7), "Targets": w.addresses(w.target),
		"VIP4": vip4, "VIP6": vip6, "Drain": w.arm.drain, "TargetPort": targetPort,
		"Datapath": w.datapath(), "Forward": w.arm.mode,
	}
}

// datapath is what the arm's mode runs on.
func (w *world) datapath() string {
	if w.arm.mode == "relay" {
		return "relay"
	}
	return "xdp"
}

// addresses are those the nodes know each other by, by name; outer addresses of
// packets are of the same family.
func (w *world) addresses(hosts []*host) map[string]string {
	m := map[string]string{}
	for _, h := range hosts {
		m[h.name] = h.v4
		if w.arm.mode == "ip6ip6" && !strings.HasPrefix(h.name, "target") {
			m[h.name] = h.v6
		}
	}
	return m
}

// program is a path to a program, without which the test is skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testkit.Without(t, name+" is not installed")
	}
	return path
}
