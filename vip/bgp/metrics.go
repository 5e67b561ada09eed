package bgp

import (
	"github.com/prometheus/client_golang/prometheus"

	"portico/vip/bgp/bfd"
)

// collector reads the metrics of all sessions when they are asked for.
type collector struct{ s *Speaker }

// The metrics, by peer: names from the spec.
func metrics() (established, routes, losses, watched *prometheus.Desc) {
	describe := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("portico_vip_bgp_"+name, help, []string{"peer"}, nil)
	}
	return describe("peer_established", "1 while the session with a router is established"),
		describe("peer_routes", "Routes announced to a router"),
		describe("session_losses_total", "Established sessions that ended unasked"),
		describe("peer_bfd_up", "1 while BFD hears a router that it watches")
}

// Describe says nothing, so that routers may come and go.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of all routers.
func (c collector) Collect(out chan<- prometheus.Metric) {
	established, routes, losses, watched := metrics()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, p := range c.s.peers {
		now := p.status()
		p.mu.Lock()
		lost := p.losses
		p.mu.Unlock()
		name := p.config.name
		out <- prometheus.MustNewConstMetric(established, prometheus.GaugeValue, one(now.State == stateEstablished), name)
		out <- prometheus.MustNewConstMetric(routes, prometheus.GaugeValue, float64(now.Routes), name)
		out <- prometheus.MustNewConstMetric(losses, prometheus.CounterValue, float64(lost), name)
		if now.BFD != "" {
			out <- prometheus.MustNewConstMetric(watched, prometheus.GaugeValue, one(now.BFD == bfd.Up.String()), name)
		}
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
