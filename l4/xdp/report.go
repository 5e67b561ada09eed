package xdp

import (
	"cmp"
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"portico/spec"
	"portico/spec/status"
)

// Status lists the VIPs that the kernel carries. What it counts is of the listener,
// and the same for each of its VIPs.
func (d *Datapath) Status() []status.Listener {
	c, all := d.counters()
	var list []status.Listener
	for _, t := range all {
		of := c.Listeners[t.Name]
		for _, vip := range t.vips {
			l := status.Listener{Name: string(t.Name), Tier: spec.RoleL4, Address: vip, Total: of.Flows, Kernel: &status.Kernel{
				Forward: t.forward, Packets: of.Packets, Bytes: of.Bytes, Unlearned: of.Events[EventUnlearned], Drops: map[string]uint64{},
			}}
			for e, n := range of.Events {
				if e.Drops() && n > 0 {
					l.Failed += n
					l.Kernel.Drops[e.String()] = n
				}
			}
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b status.Listener) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Address.Compare(b.Address))
	})
	return list
}

// counters are those of what is carried now; none when nothing is.
func (d *Datapath) counters() (*Counters, []taken) {
	now := d.now.Load()
	if now.kernel == nil {
		return &Counters{}, nil
	}
	c, err := now.kernel.Counters()
	if errors.Is(err, errClosed) { // since we looked
		return &Counters{}, nil
	}
	if err != nil {
		d.o.Log.Warn("counters of the kernel not read", "error", err)
		return &Counters{}, nil
	}
	return c, takes(now.want, d.o.Self)
}

// errClosed is that of a Kernel after Close.
var errClosed = errors.New("xdp: closed")

// The metrics. Labels are bounded by the spec and the list of events.
var (
	descPackets       = prometheus.NewDesc("portico_l4_xdp_packets_total", "Packets of clients that the kernel forwarded.", []string{"listener"}, nil)
	descBytes         = prometheus.NewDesc("portico_l4_xdp_bytes_total", "Their bytes, from the IP header on.", []string{"listener"}, nil)
	descFlows         = prometheus.NewDesc("portico_l4_xdp_flows_total", "Flows that the kernel learned.", []string{"listener"}, nil)
	descEvents        = prometheus.NewDesc("portico_l4_xdp_events_total", "What happened to packets in the kernel; no listener is what belongs to none.", []string{"listener", "event"}, nil)
	descTargetPackets = prometheus.NewDesc("portico_l4_xdp_target_packets_total", "Packets of clients that the kernel forwarded to a target.", []string{"target"}, nil)
	descTargetBytes   = prometheus.NewDesc("portico_l4_xdp_target_bytes_total", "Their bytes, from the IP header on.", []string{"target"}, nil)
)

// collector reads the kernel's counters when metrics are asked for.
type collector struct{ *Datapath }

// Describe is of prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descPackets, descBytes, descFlows, descEvents, descTargetPackets, descTargetBytes} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	n, _ := c.counters()
	put := func(d *prometheus.Desc, v uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	events := func(listener string, of map[Event]uint64) {
		for e, v := range of {
			put(descEvents, v, listener, e.String())
		}
	}
	events("", n.Events)
	for name, l := range n.Listeners {
		put(descPackets, l.Packets, string(name))
		put(descBytes, l.Bytes, string(name))
		put(descFlows, l.Flows, string(name))
		events(string(name), l.Events)
	}
	for a, t := range n.Targets {
		put(descTargetPackets, t.Packets, a.String())
		put(descTargetBytes, t.Bytes, a.String())
	}
}
