// Package load asks one URL at a fixed rate, as many clients would, and counts
// what became of every request: the engine of portico bench.
//
// What comes in: a URL, DNS servers to ask for its name, a rate. What goes out: a
// snapshot twice a second and a Report at the end.
//
// Requests start on a schedule, whatever became of those before (an open loop),
// and latency counts from when a request was due, so that a server that stalls
// cannot hide it by slowing the client down. Each request is one attempt at one
// address. It is spread over clients that behave as separate machines do: each
// has its own source address, its own memory of the DNS answer for as long as the
// TTL says, its own connections and its own cookies.
//
// It never tries to be the fastest client; it tries to be an honest one. Start
// reading at Run, then client.go.
package load

import (
	"context"
	"crypto/tls"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
)

// snapshotEvery is how often onProgress is called.
const snapshotEvery = 500 * time.Millisecond

// Run starts requests at the rate until o.For has passed or ctx ends, waits for
// those under way, and reports. When ctx ends they are given up and counted as
// aborted, neither good nor failed; that is not an error. The error is about
// options alone. onProgress may be nil; its calls do not overlap, and there is
// none after Run returned.
func Run(ctx context.Context, o Options, onProgress func(Snapshot)) (Report, error) {
	p, err := newPlan(o)
	if err != nil {
		return Report{}, err
	}
	life, end := context.WithCancel(ctx)
	defer end()
	r := &run{plan: p, stats: newStats(clock.Now())}
	r.clients = newClients(life, p, r.stats)

	stopProgress := r.progress(onProgress)
	var workers sync.WaitGroup
	for range min(uint64(p.Connections), p.total) {
		workers.Go(func() { r.work(ctx) })
	}
	workers.Wait()
	end()
	for _, c := range r.clients {
		c.close()
	}
	stopProgress()
	return r.stats.report(p, clock.Now()), nil
}

// run is one Run.
type run struct {
	*plan
	stats   *stats
	clients []*client
	next    atomic.Uint64 // the request that nobody took yet
}

// work takes requests in the order of the schedule and does them when they are due.
func (r *run) work(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		i := r.next.Add(1) - 1
		if i >= r.total {
			return
		}
		due := r.stats.began.Add(r.due(i))
		if late := clock.Now().Sub(due); late < 0 {
			wait.Reset(-late)
			select {
			case <-wait.C:
			case <-ctx.Done():
				return
			}
		} else if late > r.Timeout {
			r.stats.add(outcome{due: due, at: clock.Now(), kind: NotSent})
			continue
		}
		if ctx.Err() != nil {
			return
		}
		r.stats.start()
		r.stats.add(r.clients[i%uint64(len(r.clients))].do(ctx, due, r.fresh(i)))
	}
}

// progress calls onProgress until the function it returns is called, which calls
// it for the last time.
func (r *run) progress(onProgress func(Snapshot)) (stop func()) {
	if onProgress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var reporter sync.WaitGroup
	reporter.Go(func() {
		tick := time.NewTicker(snapshotEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				onProgress(r.stats.snapshot(clock.Now()))
			case <-done:
				onProgress(r.stats.snapshot(clock.Now()))
				return
			}
		}
	})
	return func() {
		close(done)
		reporter.Wait()
	}
}

// tlsConfig is for one client, so that sessions are resumed by whoever had them.
func (p *plan) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName:         p.host,
		RootCAs:            p.CA,
		InsecureSkipVerify: p.Insecure,
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
		NextProtos:         []string{"http/1.1"},
	}
}
