package steer

import (
	"github.com/prometheus/client_golang/prometheus"

	"portico/spec"
	"portico/spec/status"
)

// Status says where the table of a listener is, or nil for one that has none.
func (s *Steer) Status(name spec.ListenerName) *status.Slots {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[name]
	if l == nil || l.tooMany {
		return nil
	}
	return &status.Slots{
		Generation: l.state.Now.Number,
		Targets:    len(l.state.Now.Members),
		Until:      l.state.Until,
		From:       l.state.From,
		Waits:      l.waits,
		Moved:      l.moved,
		AtRisk:     l.atRisk,
	}
}

// The metrics of tables. The label listener is bounded by the spec.
var (
	descGeneration = prometheus.NewDesc("portico_l4_generation", "The number of the generation of targets that flows are placed by.", []string{"listener"}, nil)
	descWaits      = prometheus.NewDesc("portico_l4_change_waits", "Whether a change of targets waits for older flows: 1 or 0.", []string{"listener"}, nil)
	descMoved      = prometheus.NewDesc("portico_l4_slots_moved_total", "Slots that got another owner, of 65537 at each change.", []string{"listener"}, nil)
	descAtRisk     = prometheus.NewDesc("portico_l4_slots_at_risk_total", "Slots whose flows were put at risk, because a change could not wait.", []string{"listener"}, nil)
)

// collector reads the listeners when metrics are asked for.
type collector struct{ *Steer }

// Describe is of prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descGeneration, descWaits, descMoved, descAtRisk} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, l := range c.listeners {
		send := func(d *prometheus.Desc, kind prometheus.ValueType, v uint64) {
			to <- prometheus.MustNewConstMetric(d, kind, float64(v), string(name))
		}
		waits := uint64(0)
		if l.waits {
			waits = 1
		}
		send(descGeneration, prometheus.GaugeValue, l.state.Now.Number)
		send(descWaits, prometheus.GaugeValue, waits)
		send(descMoved, prometheus.CounterValue, l.moved)
		send(descAtRisk, prometheus.CounterValue, l.atRisk)
	}
}
