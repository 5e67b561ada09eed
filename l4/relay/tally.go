package relay

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/bucket"
	"portico/l4"
	"portico/spec"
	"portico/spec/status"
)

// tally counts what one listener does, over all addresses of its VIP.
type tally struct {
	name            spec.ListenerName
	active          atomic.Int64
	rate            atomic.Pointer[bucket.Bucket] // of new flows; nil for no bound
	ended           [reasons]atomic.Uint64
	connectFailures atomic.Uint64
	bytesUp         atomic.Uint64 // to targets
	bytesDown       atomic.Uint64 // to clients
}

// tally returns the tally of a listener, a new one for a new listener. The
// caller holds r.mu.
func (r *Relay) tally(name spec.ListenerName) *tally {
	t := r.tallies[name]
	if t == nil {
		t = &tally{name: name}
		r.tallies[name] = t
	}
	return t
}

// forget drops the tallies of listeners that left, so that their number stays
// bounded by the spec. The caller holds r.mu.
func (r *Relay) forget(table *l4.Table) {
	for name, t := range r.tallies {
		if !table.Has(name) && t.active.Load() == 0 {
			delete(r.tallies, name)
		}
	}
}

// Status reports every listening socket, ordered by listener and address.
func (r *Relay) Status() []status.Listener {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]status.Listener, 0, len(r.binds))
	for at, b := range r.binds {
		all = append(all, status.Listener{
			Name:    string(b.tally.Load().name),
			Tier:    spec.RoleL4,
			Address: at.address,
			Active:  b.active.Load(),
			Total:   b.total.Load(),
			Failed:  b.failed.Load(),
		})
	}
	slices.SortFunc(all, func(a, b status.Listener) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Address.Compare(b.Address))
	})
	return all
}

// The metrics of the tier. The label listener is bounded by the spec.
var (
	descFlows    = prometheus.NewDesc("portico_l4_flows_total", "Flows that ended, by the reason.", []string{"listener", "reason"}, nil)
	descActive   = prometheus.NewDesc("portico_l4_flows_active", "Flows open now.", []string{"listener"}, nil)
	descBytes    = prometheus.NewDesc("portico_l4_bytes_total", "Bytes passed on, by whom they went to: target or client.", []string{"listener", "to"}, nil)
	descDropped  = prometheus.NewDesc("portico_l4_flow_log_dropped_total", "Lines of the flow log that were dropped, as its writer is too slow.", nil, nil)
	descConnects = prometheus.NewDesc("portico_l4_connect_failures_total", "Tries to reach a target that failed.", []string{"listener"}, nil)
)

// collector reads the tallies when metrics are asked for, so that counting costs
// a flow one atomic addition.
type collector struct{ *Relay }

// Describe is of prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descFlows, descActive, descBytes, descConnects, descDropped} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to <- prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(c.log.dropped.Load()))
	for name, t := range c.tallies {
		counter := func(d *prometheus.Desc, v uint64, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{string(name)}, labels...)...)
		}
		for r := open + 1; r < reasons; r++ {
			counter(descFlows, t.ended[r].Load(), r.String())
		}
		counter(descBytes, t.bytesUp.Load(), "target")
		counter(descBytes, t.bytesDown.Load(), "client")
		counter(descConnects, t.connectFailures.Load())
		to <- prometheus.MustNewConstMetric(descActive, prometheus.GaugeValue, float64(t.active.Load()), string(name))
	}
}
