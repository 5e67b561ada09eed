package xdp

import (
	"fmt"
	"maps"
	"net/netip"

	"github.com/cilium/ebpf"

	"portico/spec"
)

func clearTraffic(m *ebpf.Map, at uint32) error {
	cores, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	return m.Put(at, make([]balancerTraffic, cores))
}

// clearListener puts the counters of a listener's number to 0.
func (k *Kernel) clearListener(number uint16) error {
	if err := clearTraffic(k.objects.ListenerTraffic, uint32(number)); err != nil {
		return err
	}
	cores, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	for e := range uint32(eventsEnd) {
		if err := k.objects.Events.Put(uint32(number)<<eventsShift|e, make([]uint64, cores)); err != nil {
			return err
		}
	}
	return nil
}

// counted are the numbers that counters are kept under in the kernel.
type counted struct {
	targets   map[address]uint16
	listeners map[string]uint16
}

// count has Counters read what is there now. The caller holds k.mu.
func (k *Kernel) count() {
	k.counted.Store(&counted{maps.Clone(k.targets.of), maps.Clone(k.listeners.of)})
}

// Counters reads what was counted so far, of all cores. It waits for no Apply.
func (k *Kernel) Counters() (*Counters, error) {
	k.mapped.RLock()
	defer k.mapped.RUnlock()
	if k.closed {
		return nil, errClosed
	}
	of := k.counted.Load()
	c := &Counters{Listeners: map[spec.ListenerName]ListenerCounters{}, Targets: map[netip.AddrPort]Traffic{}}
	var err error
	if c.Events, err = k.events(0); err != nil {
		return nil, fmt.Errorf("xdp: counters: %w", err)
	}
	for name, number := range of.listeners {
		var l ListenerCounters
		if l.Traffic, err = traffic(k.objects.ListenerTraffic, uint32(number)); err != nil {
			return nil, fmt.Errorf("xdp: counters of listener %q: %w", name, err)
		}
		if l.Events, err = k.events(number); err != nil {
			return nil, fmt.Errorf("xdp: counters of listener %q: %w", name, err)
		}
		c.Listeners[spec.ListenerName(name)] = l
	}
	for a, id := range of.targets {
		if c.Targets[a.addrPort()], err = traffic(k.objects.TargetTraffic, uint32(id)); err != nil {
			return nil, fmt.Errorf("xdp: counters of target %s: %w", a.addrPort(), err)
		}
	}
	return c, nil
}

func traffic(m *ebpf.Map, at uint32) (Traffic, error) {
	var cores []balancerTraffic
	if err := m.Lookup(at, &cores); err != nil {
		return Traffic{}, err
	}
	var t Traffic
	for _, c := range cores {
		t.Packets += c.Packets
		t.Bytes += c.Bytes
		t.Flows += c.Flows
	}
	return t, nil
}

func (k *Kernel) events(number uint16) (map[Event]uint64, error) {
	events := map[Event]uint64{}
	for _, e := range Events() {
		var cores []uint64
		if err := k.objects.Events.Lookup(uint32(number)<<eventsShift|uint32(e), &cores); err != nil {
			return nil, err
		}
		for _, n := range cores {
			events[e] += n
		}
	}
	return events, nil
}
