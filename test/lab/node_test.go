//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"portico/client"
	"portico/internal/testkit"
	"portico/spec/status"
)

// node is one Portico, through its restarts.
type node struct {
	w    *world
	host *host
	*process
	binary string
	starts int
}

// startNodes starts a Portico on each l7 node, then on each l4 node, and waits until
// they find each other healthy.
func (w *world) startNodes() {
	w.t.Helper()
	binary := portico(w.t)
	for _, h := range w.l7 {
		w.nodes[h.name] = &node{w: w, host: h, binary: binary}
		w.nodes[h.name].launch()
	}
	for _, h := range w.l7 {
		w.nodes[h.name].await("its targets are healthy", healthy("targets", names(w.target)...))
	}
	for _, h := range w.l4 {
		if w.arm.together {
			continue // it runs
		}
		if w.relays() && w.arm.routes == static {
			h.Address("lo", w.vip4+"/32") // what routes bring here is taken
			h.Address("lo", "198.18.101.1/32")
			h.Address("lo", w.vip6+"/128")
		}
		w.nodes[h.name] = &node{w: w, host: h, binary: binary}
		w.nodes[h.name].launch()
	}
	for _, h := range w.l4 {
		w.nodes[h.name].await("its l7 nodes are healthy", healthy("l7:"+port, names(w.l7)...))
		w.nodes[h.name].await("its table is at rest", w.atRest)
	}
}

// atRest reports why the table of the load's listener may still change: not all of
// whom it is for are in it, or it has changed so recently that it differs between
// nodes. What a drill does is to be the one change within a window.
func (w *world) atRest(n status.Node) error {
	want := len(w.l7)
	if w.arm.mode == "nat" {
		want = len(w.target)
	}
	s := w.slots(n)
	if s == nil {
		return errors.New("the load's listener has no table")
	}
	if s.Targets != want || !s.Until.IsZero() {
		return fmt.Errorf("generation %d, %d targets, until %v", s.Generation, s.Targets, s.Until)
	}
	return nil
}

// slots is the table that a node places the load by, or nil.
func (w *world) slots(n status.Node) *status.Slots {
	of := "http"
	if w.arm.mode == "nat" {
		of = "direct"
	}
	for _, l := range n.Listeners {
		if l.Name == of && l.Slots != nil {
			return l.Slots
		}
	}
	return nil
}

// portico is the path of the program: PORTICO_BINARY, or one built now.
func portico(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("PORTICO_BINARY"); path != "" {
		return path
	}
	return buildPortico(t, "lab")
}

// building is held by who builds the program.
var building sync.Mutex

// buildPortico builds the program with a version of its own.
func buildPortico(t *testing.T, version string) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	path := filepath.Join(os.Getenv(contained), "portico-"+version)
	if _, err := os.Stat(path); err == nil {
		return path // built for another arm
	}
	build := exec.Command(program(t, "go"), "build", "-o", path, "-ldflags", "-X main.version="+version, "portico/cmd/portico")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return path
}

// start runs the node's program and waits until it serves.
func (n *node) start() {
	n.w.t.Helper()
	n.launch()
	n.await("it serves", func(status.Node) error { return nil })
}

// launch runs the node's program.
func (n *node) launch() {
	n.w.t.Helper()
	n.starts++
	args := []string{
		"run", "--config", n.w.specPath(), "--node", n.host.name, "--admin", "off", "--socket", n.socket(),
		"--state", n.state(),
	}
	cmd := n.host.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", ownPins, n.w.pins, n.binary}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // nine of them share the machine
	n.process = start(n.w.t, fmt.Sprintf("%s (start %d)", n.host.name, n.starts), cmd, nil)
}

// state is the folder for the node's state, which all nodes have in common unless the
// arm is about that.
func (n *node) state() string {
	if n.w.arm.alone {
		return filepath.Join(n.w.dir, n.host.name)
	}
	return filepath.Join(n.w.dir, "state")
}

// forget takes away what the node has kept and what it has pinned: a new machine has
// neither.
func (n *node) forget() {
	n.w.t.Helper()
	for _, kept := range []string{filepath.Join(n.state(), n.host.name), filepath.Join(n.w.pins, "portico", n.host.name)} {
		if _, err := os.Stat(kept); err != nil {
			n.w.t.Fatal(err)
		}
		if err := os.RemoveAll(kept); err != nil {
			n.w.t.Fatal(err)
		}
	}
}

// ownPins is a shell that becomes a program which has the world's folder for its BPF
// file system, so that two worlds do not meet there.
const ownPins = `mount --bind "$0" /sys/fs/bpf && exec "$@"`

func (n *node) socket() string { return filepath.Join(n.w.dir, n.host.name+".sock") }

// status asks the node.
func (n *node) status() (status.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	nodes, err := client.Unix(n.socket()).Status(ctx)
	switch {
	case err != nil:
		return status.Node{}, err
	case len(nodes) == 0:
		return status.Node{}, fmt.Errorf("%s says nothing", n.name)
	}
	return nodes[0], nil
}

// await polls the node's status until it holds what is wanted.
func (n *node) await(what string, holds func(status.Node) error) {
	n.w.t.Helper()
	testkit.Poll(n.w.t, hang, func() error {
		if n.gone() {
			n.w.t.Fatalf("%s ended: %v\n%s", n.name, n.cmd.ProcessState, n.out)
		}
		now, err := n.status()
		if err == nil {
			err = holds(now)
		}
		if err != nil {
			return fmt.Errorf("%s: %s: not so: %w", n.name, what, err)
		}
		return nil
	})
}

// healthy reports which of the targets of a group is not healthy.
func healthy(group string, labels ...string) func(status.Node) error {
	return verdicts(group, status.Healthy, labels...)
}

// verdicts reports which of the targets of a group has another verdict.
func verdicts(group string, want status.Verdict, labels ...string) func(status.Node) error {
	return func(n status.Node) error {
		left := map[string]bool{}
		for _, l := range labels {
			left[l] = true
		}
		for _, g := range n.Groups {
			for _, t := range g.Targets {
				if string(g.Name) == group && t.Verdict == want {
					delete(left, t.Label)
				}
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("not %v in %s: %v of %+v", want, group, left, n.Groups)
		}
		return nil
	}
}

func names(hosts []*host) []string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.name)
	}
	return all
}
