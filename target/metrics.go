package target

import (
	"github.com/prometheus/client_golang/prometheus"

	"portico/spec/status"
	"portico/target/outlier"
)

// collector reads the live state when it is scraped, so that counting costs the
// data path nothing more than what balancing needs anyway. Its labels are
// bounded by the spec: groups and their targets.
type collector struct{ targets *Targets }

// metric is one family of the collector.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newMetric(kind prometheus.ValueType, name, help string, labels ...string) metric {
	return metric{desc: prometheus.NewDesc(name, help, labels, nil), kind: kind}
}

// families are what is collected. They are made for each scrape: a Desc cannot
// be a constant.
type families struct {
	verdict, mode, active, requests, probes metric
	waiting, waited, waits                  metric
	ejected, ejections                      metric
}

func newFamilies() families {
	return families{
		verdict: newMetric(prometheus.GaugeValue, "portico_target_verdict",
			"1 for what health says of the target, 0 for the other verdicts.", "group", "target", "verdict"),
		mode: newMetric(prometheus.GaugeValue, "portico_target_group_mode",
			"1 for which targets of the group are used, 0 for the other modes.", "group", "mode"),
		active: newMetric(prometheus.GaugeValue, "portico_target_active",
			"Requests or flows in flight to the target.", "group", "target"),
		requests: newMetric(prometheus.CounterValue, "portico_target_requests_total",
			"Requests or flows sent to the target.", "group", "target"),
		waiting: newMetric(prometheus.GaugeValue, "portico_target_queue_length",
			"Requests that wait because each target of the group is at its limit.", "group"),
		waited: newMetric(prometheus.CounterValue, "portico_target_queue_total",
			"Requests that had to wait for a target, or were turned away, by outcome.", "group", "outcome"),
		waits: newMetric(prometheus.UntypedValue, "portico_target_queue_seconds",
			"How long requests waited that got a target.", "group"),
		ejected: newMetric(prometheus.GaugeValue, "portico_target_ejected",
			"1 while the target is ejected for its answers, or on trial.", "group", "target"),
		ejections: newMetric(prometheus.CounterValue, "portico_target_ejections_total",
			"Times that a target was ejected for its answers, by kind.", "group", "kind"),
		probes: newMetric(prometheus.CounterValue, "portico_health_probes_total",
			"Health probes of the group's targets.", "group", "result"),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	f := newFamilies()
	for _, m := range []metric{f.verdict, f.mode, f.active, f.requests, f.probes, f.waiting, f.waited, f.waits, f.ejected, f.ejections} {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	f := newFamilies()
	put := func(m metric, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	}
	for _, g := range c.targets.live.Load().list {
		name, t := string(g.name), g.table.Load()
		for _, mode := range modes {
			put(f.mode, is(mode == t.mode), name, mode)
		}
		put(f.probes, float64(g.passed.Load()), name, "pass")
		put(f.probes, float64(g.failed.Load()), name, "fail")
		q := &g.queue
		put(f.waiting, float64(q.waiting.Load()), name)
		put(f.waited, float64(q.served.Load()), name, "served")
		put(f.waited, float64(q.refused.Load()), name, "refused")
		put(f.waited, float64(q.late.Load()), name, "late")
		put(f.waited, float64(q.gone.Load()), name, "gone")
		count, sum, upTo := q.took.read()
		ch <- prometheus.MustNewConstHistogram(f.waits.desc, count, sum, upTo, name)
		for _, k := range outlier.Kinds() {
			put(f.ejections, float64(g.ejections[k].Load()), name, k.String())
		}
		labels := metricLabels(t.members)
		for i, m := range t.members {
			verdict, _ := m.Verdict()
			for _, v := range []status.Verdict{status.Healthy, status.Unhealthy, status.Unknown} {
				put(f.verdict, is(v == verdict), name, labels[i], v.String())
			}
			put(f.ejected, is(m.phase() != outlier.In), name, labels[i])
			put(f.active, float64(m.load.Load()), name, labels[i])
			put(f.requests, float64(m.total.Load()), name, labels[i])
		}
	}
}

func is(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// metricLabels names the targets of a group apart: by label, or by address those
// that share a label with another.
func metricLabels(members []*Target) []string {
	count := make(map[string]int, len(members))
	for _, m := range members {
		count[m.Label()]++
		if address := m.addr.String(); address != m.Label() {
			count[address]++
		}
	}
	labels := make([]string, len(members))
	for i, m := range members {
		labels[i] = m.Label()
		if count[labels[i]] > 1 {
			labels[i] = m.addr.String()
		}
	}
	return labels
}
