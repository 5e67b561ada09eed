package dns

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"portico/dns/policy"
	"portico/dns/wire"
	"portico/spec"
)

// stats are the counters of one socket. Sockets do not share them, so that cores
// do not either.
type stats struct {
	queries   atomic.Uint64
	dropped   atomic.Uint64
	truncated atomic.Uint64
	replies   [wire.BadVers + 1]atomic.Uint64 // by outcome
	_         [64]byte                        // keeps the next one off this cache line
}

func (s *stats) count(r wire.RCode) { s.replies[r].Add(1) }

// collector shows the server's counters to Prometheus. Its labels are bounded by
// the spec and by what a reply can say.
type collector struct {
	s *Server

	queries, replies, dropped, truncated, conns, answers, modes *prometheus.Desc
}

func newCollector(s *Server) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("portico_dns_"+name, help, labels, nil)
	}
	return &collector{
		s:         s,
		queries:   desc("queries_total", "Messages received.", "transport"),
		replies:   desc("replies_total", "Replies sent, by outcome.", "rcode"),
		dropped:   desc("dropped_total", "Messages that no reply was due to.", "transport"),
		truncated: desc("truncated_total", "Replies cut, so that the client asks again over TCP."),
		conns:     desc("tcp_connections", "Open TCP connections."),
		answers:   desc("answers_total", "Answers that held the addresses of a site.", "record", "site"),
		modes:     desc("record_mode", "1 for the mode a record is in: healthy, unknown, fail-open or none.", "record", "family", "mode"),
	}
}

// Describe lists the metrics.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.queries, c.replies, c.dropped, c.truncated, c.conns, c.answers, c.modes} {
		ch <- d
	}
}

// Collect reads the counters.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, t prometheus.ValueType, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, float64(v), labels...)
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var truncated uint64
	var replies [wire.BadVers + 1]uint64
	var queries, dropped [transports]uint64
	var conns int64
	for _, n := range c.s.counters {
		for t := range transports {
			for i := range n.stats[t] {
				st := &n.stats[t][i]
				queries[t] += st.queries.Load()
				dropped[t] += st.dropped.Load()
				truncated += st.truncated.Load()
				for r := range st.replies {
					replies[r] += st.replies[r].Load()
				}
			}
		}
		conns += n.conns.Load()
	}
	for t, name := range transportNames {
		send(c.queries, prometheus.CounterValue, queries[t], name)
		send(c.dropped, prometheus.CounterValue, dropped[t], name)
	}
	for r, n := range replies {
		if name := wire.RCode(r).String(); name != "" {
			send(c.replies, prometheus.CounterValue, n, name)
		}
	}
	send(c.truncated, prometheus.CounterValue, truncated)
	send(c.conns, prometheus.GaugeValue, uint64(conns))
	for k, n := range c.s.answers {
		send(c.answers, prometheus.CounterValue, n.Load(), k.record, string(k.site))
	}
	for _, d := range c.s.table.Load().decisions {
		if len(d.sites) == 0 {
			continue
		}
		now := d.now.Load().mode
		for _, m := range []policy.Mode{policy.ModeHealthy, policy.ModeUnknown, policy.ModeFailOpen, policy.ModeNone} {
			v := uint64(0)
			if m == now {
				v = 1
			}
			send(c.modes, prometheus.GaugeValue, v, d.record, d.family(), string(m))
		}
	}
}

// The transports of a query.
const (
	overUDP = iota
	overTCP
	transports
)

var transportNames = [transports]string{"udp", "tcp"}

// counters are the counters of one address. They outlive its sockets, so that
// no counter ever goes back.
type counters struct {
	stats [transports][socketsMax]stats // TCP uses the first alone
	conns atomic.Int64
}

// answerKey names a counter of answers.
type answerKey struct {
	record string
	site   spec.SiteName
}
