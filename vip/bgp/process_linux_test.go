package bgp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"portico/internal/testkit"
	"portico/internal/testkit/netns"
	"portico/spec"
	"portico/spec/status"
	"portico/vip/bgp"
)

// asSpeaker makes the test binary a node that announces, to be killed, frozen and
// restarted in a namespace.
const asSpeaker = "PORTICO_BGP_SPEAKER"

// TestMain runs the tests, or a node.
func TestMain(m *testing.M) {
	if text := os.Getenv(asSpeaker); text != "" {
		if err := speak(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// order is what a node is started with.
type order struct {
	Spec     spec.Spec
	Password string // of every peer
}

// speak is a node: it takes orders a line and answers each with a line.
//
//	routes JSON  announces these
//	peers        says the peers, as JSON
//	restart      ends as for a planned restart
func speak(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	if o.Password != "" {
		for i := range o.Spec.Sites[0].BGP.Peers {
			o.Spec.Sites[0].BGP.Peers[i].Password = &spec.Secret{Env: "PASSWORD", Value: []byte(o.Password)}
		}
	}
	s := bgp.New(bgp.Options{Self: "east-1", Outlives: outlives, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err := s.Apply(&o.Spec); err != nil {
		return err
	}
	go func() { _ = s.Run(context.Background()) }()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		answer := "done"
		switch verb {
		case "routes":
			var routes []bgp.Route
			if err := json.Unmarshal([]byte(rest), &routes); err != nil {
				return err
			}
			if err := s.Announce(routes); err != nil {
				return err
			}
		case "peers":
			b, err := json.Marshal(s.Peers())
			if err != nil {
				return err
			}
			answer = string(b)
		case "restart":
			s.Close(true)
			return nil
		}
		if _, err := fmt.Fprintln(os.Stdout, answer); err != nil {
			return err
		}
	}
	s.Close(false)
	return in.Err()
}

// node is a node in a process of its own.
type node struct {
	tb      testing.TB
	process *os.Process
	in      io.WriteCloser
	out     *bufio.Scanner
	kill    func()
}

// run starts a node in a namespace.
func run(tb testing.TB, at *netns.Space, o order) *node {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := at.Command(self)
	cmd.Env = append(os.Environ(), asSpeaker+"="+string(text))
	cmd.Stderr = tb.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	kill := at.Start(cmd)
	return &node{tb: tb, process: cmd.Process, in: in, out: bufio.NewScanner(out), kill: kill}
}

// tell gives an order and waits for the answer.
func (n *node) tell(words string) string {
	n.tb.Helper()
	if _, err := fmt.Fprintln(n.in, words); err != nil {
		n.tb.Fatalf("%s: %v", words, err)
	}
	if !n.out.Scan() {
		n.tb.Fatalf("%s: no answer", words)
	}
	return n.out.Text()
}

func (n *node) announce(routes ...bgp.Route) {
	n.tb.Helper()
	text, err := json.Marshal(routes)
	if err != nil {
		n.tb.Fatal(err)
	}
	n.tell("routes " + string(text))
}

func (n *node) peers() []status.Peer {
	n.tb.Helper()
	var list []status.Peer
	if err := json.Unmarshal([]byte(n.tell("peers")), &list); err != nil {
		n.tb.Fatal(err)
	}
	return list
}

// established waits until every session is, with BFD where it is configured.
func (n *node) established() {
	n.tb.Helper()
	testkit.Poll(n.tb, bound, func() error {
		for _, p := range n.peers() {
			if p.State != "established" || (p.BFD != "" && p.BFD != "up") {
				return fmt.Errorf("peer = %+v, want established", p)
			}
		}
		return nil
	})
}

// restart ends the node as a planned restart does; stop ends it for good.
func (n *node) restart() { n.leave(func() { _, _ = fmt.Fprintln(n.in, "restart") }) }
func (n *node) stop()    { n.leave(func() { _ = n.in.Close() }) }

// leave waits until the process ended by itself.
func (n *node) leave(how func()) {
	n.tb.Helper()
	how()
	for n.out.Scan() { // to the end of its output
		continue
	}
	n.kill() // collects it
}

// freeze stops the process as it is, so that its kernel still answers.
func (n *node) freeze() {
	n.tb.Helper()
	if err := n.process.Signal(syscall.SIGSTOP); err != nil {
		n.tb.Fatal(err)
	}
}

// orderOf is a node of AS 65001 with routers of AS 65000.
func orderOf(address string, peers ...spec.BGPPeer) order {
	return order{Spec: spec.Spec{Sites: []spec.Site{{
		Name:  "east",
		Nodes: []spec.Node{{Name: "east-1", Address: netip.MustParseAddr(address), Roles: []spec.Role{spec.RoleVIP, spec.RoleL4}}},
		L4:    spec.SiteL4{Datapath: spec.DatapathXDP},
		BGP:   &spec.BGP{AS: 65001, Peers: peers},
	}}}}
}
