//go:build linux

package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"portico/internal/testkit"
	"portico/internal/testkit/frr"
	"portico/internal/testkit/netns"
)

// port is that of the VIP's listener, directPort that of the one whose flows end at
// the targets.
const (
	port       = "80"
	directPort = "81"
)

// arm is one way to run a drill.
type arm struct {
	// name says what the mechanism is, or that it is off.
	name string
	// mode is how packets reach an l7 node: relay, gue or ip6ip6. Under nat they reach
	// targets, and clients go there by a VIP of its own.
	mode string
	// l4 is how many l4 nodes there are; 0 means 2.
	l4 int
	// routes is how the router knows the l4 nodes; the zero value is static.
	routes routing
	// together makes each l4 node an l7 node as well, and no other one.
	together bool
	// forgets has l4 nodes in the kernel remember next to no flow.
	forgets bool
	// alone has nodes keep their state where no other sees it.
	alone bool
	// drain is the drain bound; "" means 10s.
	drain string
	// switched puts a switch between the router and each l4 node, so that the router
	// does not see a node's link go down.
	switched bool
	// restarts is the bound of graceful restart; "" means 30s, so that a busy machine
	// starts a program within it.
	restarts string
	// mtu is that of the links between the router and the nodes; 0 means 1600.
	mtu int
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
	pins   string // of its nodes, in the lab's BPF file system
	client *host
	router *netns.Space
	// The addresses of the VIP: routed to the l4 nodes, or of the network that they
	// are on where one of them answers for it.
	vip4, vip6 string
	l4, l7     []*host
	target     []*host
	nodes      map[string]*node
	net        *netns.Net
	frr        *frr.Router // nil where routes are static
	began      time.Time
	// specs is how often the spec was changed, weight that of the first of whom the
	// load is for in it; 0 means 1.
	specs, weight int
	// lost is how many connections ended at what a drill has taken away.
	lost int
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
	ofLab(t)
	a.l4, a.mtu = cmp.Or(a.l4, 2), cmp.Or(a.mtu, 1600)
	a.drain, a.restarts = cmp.Or(a.drain, "10s"), cmp.Or(a.restarts, "30s")
	dir, err := os.MkdirTemp(os.Getenv(contained), "w") //nolint:usetesting // a socket's path is bounded, and t.TempDir is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, arm: a, dir: dir, net: netns.New(t), vip4: "198.18.100.1", vip6: "2001:db8:100::1", nodes: map[string]*node{}, began: time.Now()}
	w.pins = filepath.Join("/sys/fs/bpf", filepath.Base(dir))
	if err := os.Mkdir(w.pins, 0o700); err != nil {
		t.Fatal(err)
	}
	w.router = w.net.Add("r")
	w.forward()
	w.client = w.host("client", 0, 1500)
	if a.routes == arp {
		w.l4 = w.neighbors(a.l4)
	} else {
		w.l4 = w.hosts("l4", 10, a.l4)
	}
	if w.l7 = w.l4; !a.together {
		w.l7 = w.hosts("l7", 20, 3)
	}
	w.target = w.hosts("target", 30, 3)
	w.serveTargets()
	w.startRouter()
	w.writeSpec()
	w.startNodes()
	w.attached()
	w.route()
	w.log("the world is built")
	return w
}

// attached waits until programs in the kernel take the packets of every l4 node.
func (w *world) attached() {
	w.t.Helper()
	for _, h := range w.l4 {
		testkit.Poll(w.t, hang, func() error {
			if seen := h.IP("link show eth0"); !w.relays() && !strings.Contains(seen, " xdp") {
				return fmt.Errorf("no program is on eth0 of %s: %s", h.name, seen)
			}
			return nil
		})
	}
}

func (w *world) serveTargets() {
	w.t.Helper()
	for _, h := range w.target {
		argv, env := self("target", h.name, fmt.Sprintf(":%d", targetPort))
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
	forward, l7 := w.arm.mode, w.addresses(w.l7)
	if forward == "nat" {
		forward = "gue" // to l7 nodes; the groups of targets have nat
	}
	if w.arm.together {
		l7 = nil
	}
	return map[string]any{
		"L4": w.addresses(w.l4), "L7": l7, "Targets": w.addresses(w.target),
		"Direct": w.direct(), "DirectTargets": w.directTargets(), "VIP4": w.vip4, "VIP6": w.vip6, "Drain": w.arm.drain, "TargetPort": targetPort,
		"Relay": w.relays(), "Forward": forward, "NAT": w.arm.mode == "nat", "Together": w.arm.together, "Forgets": w.arm.forgets,
		"BGP": w.arm.speaks(), "ARP": w.arm.routes == arp, "BFD": w.arm.routes == bfd, "Peers": w.peers(),
		"Weight": max(w.weight, 1), "Router": routerAS, "Nodes": nodesAS, "Restarts": w.arm.restarts,
	}
}

// direct is the address of a VIP whose flows end at the targets: of the family that
// the nodes have.
func (w *world) direct() string {
	if w.arm.mode == "ip6ip6" {
		return "2001:db8:101::1"
	}
	return "198.18.101.1"
}

// directTargets are the targets' addresses and ports of that family.
func (w *world) directTargets() map[string]string {
	m := map[string]string{}
	for _, h := range w.target {
		m[h.name] = net.JoinHostPort(h.v4, strconv.Itoa(targetPort))
		if w.arm.mode == "ip6ip6" {
			m[h.name] = net.JoinHostPort(h.v6, strconv.Itoa(targetPort))
		}
	}
	return m
}

// relays reports whether flows go through sockets of the l4 nodes.
func (w *world) relays() bool { return w.arm.mode == "relay" }

// peers are the addresses of the router that each l4 node speaks to.
func (w *world) peers() map[string][]string {
	m := map[string][]string{}
	for _, h := range w.l4 {
		m[h.name] = []string{h.gw4, h.gw6}
	}
	return m
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
