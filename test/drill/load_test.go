package drill

import (
	"context"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"portico/demo"
	"portico/internal/load"
	"portico/spec/status"
)

// rate is small: the drills run with the race detector, and count rather than race.
const rate = 50

// underLoad is a load that runs beside a drill.
type underLoad struct {
	t       *testing.T
	d       *deployment
	began   time.Time
	stop    context.CancelFunc
	ended   chan struct{}
	report  load.Report
	ok      chan uint64 // the latest count of good requests
	stopped bool
}

// load starts clients that resolve the name, honor its TTL and keep connections.
func (d *deployment) load(path string) *underLoad {
	d.t.Helper()
	ca, err := os.ReadFile(filepath.Join(d.dir, demo.CAFile))
	if err != nil {
		d.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	ctx, stop := context.WithCancel(context.Background())
	u := &underLoad{t: d.t, d: d, stop: stop, began: time.Now(), ended: make(chan struct{}), ok: make(chan uint64, 1)}
	go func() {
		defer close(u.ended)
		u.report, err = load.Run(ctx, load.Options{
			URL:            "https://myapp.example.com:8443" + path,
			DNS:            []netip.AddrPort{netip.MustParseAddrPort(d.net + ".53:5300"), netip.MustParseAddrPort(d.net + ".153:5300")},
			Rate:           rate,
			For:            5 * time.Minute, // ended by stop
			Clients:        10,
			NewConnections: 0.2,
			CA:             roots,
			Sources:        netip.MustParsePrefix("127.0.3.0/24"),
		}, u.progress)
		if err != nil {
			d.t.Errorf("load: %v", err)
		}
	}()
	d.t.Cleanup(u.end)
	return u
}

func (u *underLoad) progress(s load.Snapshot) {
	select {
	case <-u.ok:
	default:
	}
	u.ok <- s.OK
}

// more waits until this many more requests went well.
func (u *underLoad) more(n uint64) {
	u.t.Helper()
	var first, last uint64
	end := time.After(pollFor)
	for seen := 0; ; seen++ {
		select {
		case last = <-u.ok:
		case <-end:
			u.t.Fatalf("only %d more requests went well in %v, waited for %d", last-first, pollFor, n)
		}
		if seen == 0 {
			first = last
		}
		if last >= first+n {
			return
		}
	}
}

// now is the time in seconds after the start, as in the report.
func (u *underLoad) now() float64 { return time.Since(u.began).Seconds() }

func (u *underLoad) end() {
	if !u.stopped {
		u.stopped = true
		u.stop()
		<-u.ended
	}
}

// failed ends the load and fails the drill for every kind of failure of which a
// request was due after the moment until which requests may be lost.
func (u *underLoad) failedOnlyUntil(moment float64) {
	u.t.Helper()
	u.end()
	u.t.Logf("%d went well, %d failed, %d were sent again on a new connection", u.report.OK, u.report.Failed, u.report.Retried)
	for _, f := range u.report.Failures {
		u.t.Logf("  %s: %d, due %.3fs to %.3fs, such as %s", f.Kind, f.Count, f.First, f.Last, f.Example)
		if f.Last > moment {
			u.t.Errorf("a request that was due at %.3fs failed (%s); only those until %.3fs may", f.Last, f.Kind, moment)
		}
	}
	if u.t.Failed() {
		u.t.Logf("the load began at %s; what access logs say of requests that failed:\n%s", u.began.UTC().Format("15:04:05.000"), u.d.failures())
	}
	if u.report.OK == 0 {
		u.t.Error("no request went well")
	}
}

// noneFailed ends the load and fails the drill for any failure.
func (u *underLoad) noneFailed() {
	u.t.Helper()
	u.failedOnlyUntil(-1)
}

// servedBy fails the drill for every shop that answered nothing.
func (u *underLoad) servedBy(shops ...string) {
	u.t.Helper()
	u.t.Logf("answered by %v", u.report.Servers)
	for _, shop := range shops {
		if !slices.ContainsFunc(u.report.Servers, func(s load.Server) bool { return s.Name == shop && s.Requests > 0 }) {
			u.t.Errorf("%s answered nothing", shop)
		}
	}
}

// twoSites starts testdata/two-sites.yaml and waits until all of it is healthy.
func twoSites(t *testing.T) *deployment {
	t.Helper()
	d := deploy(t, "two-sites.yaml")
	d.shops("shop-1=41", "shop-2=42", "shop-3=43")
	d.nodes("east-l7-1", "east-l7-2", "west-l7-1", "east-l4", "west-l4", "east-dns", "west-dns")
	d.await("east-l7-1", "its shops are healthy", verdicts("shop", status.Healthy, "shop-1", "shop-2"))
	d.await("east-l7-2", "its shops are healthy", verdicts("shop", status.Healthy, "shop-1", "shop-2"))
	d.await("west-l7-1", "its shop is healthy", verdicts("shop", status.Healthy, "shop-3"))
	d.await("east-l4", "its l7 nodes are healthy", verdicts("l7:8443", status.Healthy, "east-l7-1", "east-l7-2"))
	for _, dns := range []string{"east-dns", "west-dns"} {
		d.await(dns, "both sites are healthy", verdicts("vip:public:https", status.Healthy, "east", "west"))
	}
	return d
}

// ttl is that of the name in two-sites.yaml.
const ttl = time.Second

// answersExpired waits until the name servers answer without a site, and then for
// the TTL of the last answer that named it. It returns that moment.
func (d *deployment) answersExpired(u *underLoad, site string, servers ...string) float64 {
	d.t.Helper()
	for _, dns := range servers {
		d.await(dns, site+" is not answered with", func(n status.Node) bool {
			for _, r := range n.Records {
				for _, s := range r.Sites {
					if string(s.Site) == site && s.Used {
						return false
					}
				}
			}
			return len(n.Records) > 0
		})
	}
	expired := u.now() + ttl.Seconds()
	<-time.After(ttl) // clients may use what they were told until then
	return expired
}
