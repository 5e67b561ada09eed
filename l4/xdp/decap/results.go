package decap

import "github.com/prometheus/client_golang/prometheus"

// results names what became of a packet, in the order of enum result in
// decap.bpf.c.
func results() []string {
	return []string{
		"syn", "flow", "cookie", "last", "udp", "icmp", "other",
		"chained", "answered", "malformed", "not-vip", "hops", "stranger",
	}
}

// counts is a collector of the program's own counters.
type counts struct {
	read func() map[string]uint64
	desc *prometheus.Desc
}

func newCounts(read func() map[string]uint64) *counts {
	return &counts{read, prometheus.NewDesc("portico_l4_decap_packets_total",
		"Packets that came wrapped, by what became of them.", []string{"result"}, nil)}
}

// Describe is of prometheus.Collector.
func (c *counts) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect is of prometheus.Collector.
func (c *counts) Collect(to chan<- prometheus.Metric) {
	now := c.read()
	for _, r := range results() {
		to <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(now[r]), r)
	}
}
