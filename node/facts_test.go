package node_test

import (
	"testing"
	"time"

	"portico/node"
	"portico/spec/status"
)

// siteVerdict is what the node's dns tier thinks of the only site.
func siteVerdict(n *node.Node) (status.Verdict, string) {
	s := n.Status().Records[0].Sites[0]
	return s.Verdict, s.Reason
}

func awaitSite(t *testing.T, n *node.Node, want status.Verdict) {
	t.Helper()
	for end := time.Now().Add(pollFor); ; time.Sleep(10 * time.Millisecond) {
		v, why := siteVerdict(n)
		if v == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the site is %v (%s), want %v", v, why, want)
		}
	}
}

// TestNewListenerKeepsTheVerdict proves that a listener that nobody has asked yet
// does not make a healthy site unknown, which would send its clients elsewhere.
func TestNewListenerKeepsTheVerdict(t *testing.T) {
	net := network(t)
	web(t, net+".101:3000")
	n, _ := start(t, load(t, oneNode(net)))
	awaitSite(t, n, status.Healthy)

	const raw = "  - {name: raw, vip: public, port: 9000, protocol: tcp, targetGroups: [web]}\n"
	more := raw + "  - {name: more, vip: public, port: 9001, protocol: tcp, targetGroups: [web]}\n"
	if err := n.Apply(load(t, oneNode(net, raw, more))); err != nil {
		t.Fatal(err)
	}
	if v, why := siteVerdict(n); v != status.Healthy {
		t.Errorf("right after a listener was added the site is %v (%s), want healthy", v, why)
	}
}
