package xdp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"
)

// recall learns from the maps who has which number, and carries over what maps of
// another shape hold.
func (k *Kernel) recall() error {
	if !k.adopted {
		for _, folder := range k.others() {
			k.carry(folder)
		}
	}
	targets := map[address]uint16{}
	for id := 1; id < TargetsMax; id++ {
		var t balancerTarget
		if err := k.objects.Targets.Lookup(uint32(id), &t); err != nil {
			return fmt.Errorf("xdp: target %d: %w", id, err)
		}
		if t.Family != 0 {
			targets[address{t.Addr, t.Port, t.Family}] = uint16(id)
		}
	}
	k.targets = newIDs(TargetsMax-1, targets)
	k.listeners = newIDs(ListenersMax-1, map[string]uint16{})
	return nil
}

// adoptListener gives a listener the number that one of its VIPs has already, so
// that its table and counters go on.
func (k *Kernel) adoptListener(l *Listener) (uint16, bool) {
	for _, a := range l.VIPs {
		var v balancerVip
		key := vipKey(a, l.Proto)
		if k.objects.Vips.Lookup(&key, &v) == nil && k.listeners.take(string(l.Name), v.Listener) {
			return v.Listener, true
		}
	}
	return 0, false
}

// carry copies targets and flows from maps of another shape where keys and values
// are the same. Where they are not, flows are placed by hash.
func (k *Kernel) carry(folder string) {
	m := &k.objects
	for _, c := range []struct {
		name string
		copy func(path string) (int, error)
	}{
		{balancerMapTargets, carrier[uint32, balancerTarget](m.Targets)}, // first, for flows name them by id
		{balancerMapFlows4, carrier[balancerTuple4, balancerFlow](m.Flows4)},
		{balancerMapFlows6, carrier[balancerTuple6, balancerFlow](m.Flows6)},
		{balancerMapNats4, carrier[balancerTuple4, balancerNat](m.Nats4)},
		{balancerMapNats6, carrier[balancerTuple6, balancerNat](m.Nats6)},
		{balancerMapBacks4, carrier[balancerTuple4, balancerBack](m.Backs4)},
		{balancerMapBacks6, carrier[balancerTuple6, balancerBack](m.Backs6)},
	} {
		n, err := c.copy(filepath.Join(folder, c.name))
		if err != nil {
			k.o.Log.Warn("flows are not carried over", "map", c.name, "from", folder, "error", err)
			return
		}
		k.o.Log.Info("flows carried over", "map", c.name, "from", folder, "entries", n)
	}
}

// carryBatch is how many entries one call copies.
const carryBatch = 4096

// carrier copies the entries of a pinned map into one of the same keys and values.
func carrier[K, V any](to *ebpf.Map) func(path string) (int, error) {
	return func(path string) (int, error) {
		from, err := ebpf.LoadPinnedMap(path, nil)
		if errors.Is(err, os.ErrNotExist) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		defer func() { _ = from.Close() }()
		if from.KeySize() != to.KeySize() || from.ValueSize() != to.ValueSize() || from.Type() != to.Type() {
			return 0, errors.New("its entries have another shape")
		}
		keys, values := make([]K, carryBatch), make([]V, carryBatch)
		var at ebpf.MapBatchCursor
		for total := 0; ; {
			n, err := from.BatchLookup(&at, keys, values, nil)
			if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
				return total, err
			}
			if n > 0 {
				if _, err := to.BatchUpdate(keys[:n], values[:n], nil); err != nil {
					return total, err
				}
			}
			if total += n; err != nil { // that was all
				return total, nil
			}
		}
	}
}
