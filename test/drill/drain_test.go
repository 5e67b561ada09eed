package drill

import (
	"fmt"
	"testing"

	"portico/spec/status"
)

// TestL7NodeDrained proves that stopping and starting an l7 node under load costs
// no request.
func TestL7NodeDrained(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/slow?for=50ms")
	u.more(2 * rate)
	d.terminate("east-l7-1")
	u.more(rate)
	d.nodes("east-l7-1")
	d.await("east-l4", "east-l7-1 is healthy again", verdicts("l7:8443", status.Healthy, "east-l7-1", "east-l7-2"))
	u.more(rate)
	u.noneFailed()
}

// TestL4NodeDrained proves that stopping the l4 node of a site under load costs no
// request: clients are at the other site before it is gone, and come back when it
// serves again.
func TestL4NodeDrained(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/slow?for=50ms")
	u.more(2 * rate)
	d.terminate("east-l4")
	u.more(rate)
	d.nodes("east-l4")
	for _, dns := range []string{"east-dns", "west-dns"} {
		d.await(dns, "east is healthy again", verdicts("vip:public:https", status.Healthy, "east"))
	}
	u.more(2 * rate)
	u.noneFailed()
	u.servedBy("shop-1", "shop-3")
}

// TestSiteDrained proves the same of every node of a site at once, its name server
// included.
func TestSiteDrained(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/slow?for=50ms")
	u.more(2 * rate)
	d.terminate("east-dns", "east-l4", "east-l7-1", "east-l7-2")
	d.kill("shop-1")
	d.kill("shop-2")
	u.more(2 * rate)
	u.noneFailed()
	u.servedBy("shop-1", "shop-3")
}

// TestAllInOneDrained proves the same of a site that is one node in all roles: it
// answers queries with the other site until its clients have moved.
func TestAllInOneDrained(t *testing.T) {
	t.Parallel()
	d := deploy(t, "all-in-one.yaml")
	d.shops("shop-1=41", "shop-3=43")
	d.nodes("east-all", "west-all")
	for _, node := range []string{"east-all", "west-all"} {
		d.await(node, "both sites are healthy", verdicts("vip:public:https", status.Healthy, "east", "west"))
	}
	u := d.load("/slow?for=50ms")
	u.more(2 * rate)
	d.terminate("east-all")
	u.more(2 * rate)
	d.nodes("east-all")
	d.await("west-all", "east is healthy again", verdicts("vip:public:https", status.Healthy, "east"))
	u.more(2 * rate)
	u.noneFailed()
	u.servedBy("shop-1", "shop-3")
}

// TestTargetDrained proves that taking a target out by the spec under load costs
// no request, and that it gets none any more.
func TestTargetDrained(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/slow?for=50ms")
	u.more(rate)
	d.writeSpec("two-sites.yaml", "name: shop-1, site: east}", "name: shop-1, site: east, drain: true}")
	for _, node := range []string{"east-l7-1", "east-l7-2"} {
		d.await(node, "shop-1 drains and is idle", func(n status.Node) bool {
			for _, g := range n.Groups {
				for _, t := range g.Targets {
					if t.Label == "shop-1" {
						return t.Drain && !t.Used && t.Active == 0
					}
				}
			}
			return false
		})
	}
	d.kill("shop-1")
	u.more(2 * rate)
	u.noneFailed()
}

// TestReload proves that applying specs under load costs no request, whatever
// they change, and that one that cannot be applied changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/")
	u.more(rate)
	for i := range 5 {
		d.writeSpec("two-sites.yaml", "      - targetGroups: [shop]\n", fmt.Sprintf(`      - match: [{path: {prefix: /v%d}}]
        filters: [{respond: {status: 404, body: "gone\n"}}]
      - targetGroups: [shop]
`, i))
		for _, node := range []string{"east-l7-1", "east-l7-2", "east-l4", "east-dns"} {
			d.await(node, "the spec is applied", func(n status.Node) bool { return n.Generation == uint64(i+2) })
		}
		u.more(rate / 2)
	}
	d.writeSpec("two-sites.yaml", "balance: round-robin", "balance: round-robbin")
	u.more(2 * rate)
	if n, err := d.status("east-l7-1"); err != nil || n.Generation != 6 {
		t.Errorf("generation after a spec with a problem is %d (%v), want 6", n.Generation, err)
	}
	u.noneFailed()
}
