package drill

import (
	"testing"

	"portico/spec/status"
)

// TestTargetKilled proves that of the requests a dying target had, no more than
// those are lost, and none that comes later, before its checks fail as well.
func TestTargetKilled(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/slow?for=50ms")
	u.more(2 * rate)
	d.kill("shop-1")
	lost := u.now()
	u.more(2 * rate)
	d.await("east-l7-1", "shop-1 is unhealthy", verdicts("shop", status.Unhealthy, "shop-1"))
	u.more(rate)
	u.failedOnlyUntil(lost)
}

// TestL7NodeKilled proves the same of an l7 node: its l4 node sends each new flow
// to the other one.
func TestL7NodeKilled(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/slow?for=50ms")
	u.more(2 * rate)
	d.kill("east-l7-1")
	lost := u.now()
	u.more(2 * rate)
	d.await("east-l4", "east-l7-1 is unhealthy", verdicts("l7:8443", status.Unhealthy, "east-l7-1"))
	u.more(rate)
	u.failedOnlyUntil(lost)
}

// TestL4NodeKilled proves that the loss of a VIP is over once the name servers
// noticed and their answers expired.
func TestL4NodeKilled(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/")
	u.more(2 * rate)
	d.kill("east-l4")
	expired := d.answersExpired(u, "east", "east-dns", "west-dns")
	u.more(2 * rate)
	u.failedOnlyUntil(expired)
}

// TestSiteKilled proves the same of a whole site, its name server included.
func TestSiteKilled(t *testing.T) {
	t.Parallel()
	d := twoSites(t)
	u := d.load("/")
	u.more(2 * rate)
	for _, part := range []string{"east-dns", "east-l4", "east-l7-1", "east-l7-2", "shop-1", "shop-2"} {
		d.kill(part)
	}
	expired := d.answersExpired(u, "east", "west-dns")
	u.more(2 * rate)
	u.failedOnlyUntil(expired)
}
