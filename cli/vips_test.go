package cli

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"portico/internal/clock"
	"portico/spec/status"
)

// TestStatusVIPs proves what is shown of VIPs and of the routers that are told of
// them: a row each, and the reason below.
func TestStatusVIPs(t *testing.T) {
	since := clock.Now().Add(-90 * time.Second)
	nodes := []status.Node{{
		Name: "edge-1",
		VIPs: []status.VIP{
			{Name: "public", Address: netip.MustParseAddr("198.51.100.1"), Announce: "bgp", Announced: true, Reason: "every listener is served", Since: since},
			{Name: "lan", Address: netip.MustParseAddr("10.0.0.9"), Announce: "arp", Reason: "edge-2 holds it", Owner: "edge-2", Since: since},
		},
		Peers: []status.Peer{{Address: "10.0.0.254", AS: 65000, State: "established", BFD: "up", Routes: 1, Since: since}},
	}}
	var b strings.Builder
	if err := writeStatus(widthWriter{&b, 200}, nodes, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"VIP     ADDRESS       NODE    ANNOUNCE  ANNOUNCED  FOR    OWNER\n",
		"public  198.51.100.1  edge-1  bgp       yes        1m30s\n        └ every listener is served\n",
		"lan     10.0.0.9      edge-1  arp       no         1m30s  edge-2\n        └ edge-2 holds it\n",
		"PEER        AS     NODE    STATE        BFD  ROUTES  FOR\n10.0.0.254  65000  edge-1  established  up        1  1m30s\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("status lacks %q:\n%s", want, b.String())
		}
	}
}
