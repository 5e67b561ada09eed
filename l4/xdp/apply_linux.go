package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/zeebo/xxh3"
)

// Apply makes the plan what the kernel does. Flows never meet half of it: what is
// new is there before anything points to it, and what is old goes once nothing
// does. On an error the plan before still serves, with the targets of both.
func (k *Kernel) Apply(p *Plan) error {
	if err := p.check(); err != nil {
		return fmt.Errorf("xdp: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return errClosed
	}
	defer k.count()
	want := p.targets()
	if err := k.putTargets(want); err != nil {
		return err
	}
	k.config = p.config()
	if err := k.putConfig(); err != nil {
		return err
	}
	vips := map[balancerVipKey]balancerVip{}
	for i := range p.Listeners {
		if err := k.putListener(&p.Listeners[i], vips); err != nil {
			return fmt.Errorf("xdp: listener %q: %w", p.Listeners[i].Name, err)
		}
	}
	if err := k.putVIPs(vips); err != nil {
		return err
	}
	if err := k.putQUIC(p); err != nil {
		return err
	}
	k.forgetListeners(p)
	return k.forgetTargets(want)
}

// putTargets writes targets that are new or changed.
func (k *Kernel) putTargets(want map[netip.AddrPort]Target) error {
	for _, t := range want {
		if !t.Address.IsValid() {
			continue
		}
		a := addressOf(t.Address)
		id, fresh := k.targets.give(a)
		if id == 0 {
			return fmt.Errorf("xdp: %d targets: the kernel's maps have room for %d", len(want), TargetsMax-1)
		}
		var was balancerTarget
		if err := k.objects.Targets.Lookup(uint32(id), &was); err != nil {
			return fmt.Errorf("xdp: target %s: %w", t.Address, err)
		}
		now := balancerTarget{Addr: a.addr, Port: a.port, Ifindex: uint32(t.Interface), Epoch: was.Epoch, Family: a.family}
		copy(now.Mac[:], t.MAC)
		if now == was {
			continue
		}
		if fresh {
			if err := clearTraffic(k.objects.TargetTraffic, uint32(id)); err != nil {
				return fmt.Errorf("xdp: target %s: %w", t.Address, err)
			}
		}
		if err := k.objects.Targets.Put(uint32(id), &now); err != nil {
			return fmt.Errorf("xdp: target %s: %w", t.Address, err)
		}
	}
	return nil
}

// forgetTargets ends those that the plan does not have. Flows on them are placed
// anew, for the next owner of the id has another epoch.
func (k *Kernel) forgetTargets(want map[netip.AddrPort]Target) error {
	for a, id := range k.targets.of {
		if _, used := want[a.addrPort()]; used {
			continue
		}
		var was balancerTarget
		if err := k.objects.Targets.Lookup(uint32(id), &was); err != nil {
			return fmt.Errorf("xdp: target %s: %w", a.addrPort(), err)
		}
		gone := balancerTarget{Epoch: was.Epoch + 1}
		if err := k.objects.Targets.Put(uint32(id), &gone); err != nil {
			return fmt.Errorf("xdp: target %s: %w", a.addrPort(), err)
		}
		k.targets.release(a)
	}
	return nil
}

// putListener writes the listener's table and notes its VIPs.
func (k *Kernel) putListener(l *Listener, vips map[balancerVipKey]balancerVip) error {
	if modes[l.Forward] == 0 {
		return fmt.Errorf("no mode %q", l.Forward)
	}
	number, err := k.number(l)
	if err != nil {
		return err
	}
	if err := k.putTable(l, number); err != nil {
		return err
	}
	for _, a := range l.VIPs {
		vips[vipKey(a, l.Proto)] = l.vip(number)
		// The address as such has no listener of its own: several share it.
		vips[echoKey(a.Addr())] = balancerVip{}
	}
	return nil
}

// number is what the listener is known by in the kernel.
func (k *Kernel) number(l *Listener) (uint16, error) {
	if number, has := k.listeners.of[string(l.Name)]; has {
		return number, nil
	}
	if number, adopted := k.adoptListener(l); adopted {
		return number, nil
	}
	number, _ := k.listeners.give(string(l.Name))
	return number, k.clearListener(number)
}

// tableBytes is the size of struct table.
const tableBytes = 4 * (Slots + 1)

// putTable puts the listener's table in place of the one before, all at once. The
// same table is not written again.
func (k *Kernel) putTable(l *Listener, number uint16) error {
	name := string(l.Name)
	if l.Table == nil {
		delete(k.tables, name)
		return ignoreGone(k.objects.Tables.Delete(uint32(number)))
	}
	value, err := k.renumber(l.Table)
	if err != nil {
		return err
	}
	sum := xxh3.Hash(value)
	if was, had := k.tables[name]; had && was == sum {
		return nil
	}
	inner, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: tableBytes, MaxEntries: 1})
	if err != nil {
		return fmt.Errorf("table: %w", err)
	}
	defer func() { _ = inner.Close() }()
	if err := inner.Put(uint32(0), value); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	if err := k.objects.Tables.Put(uint32(number), inner); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	k.tables[name] = sum
	return nil
}

// renumber writes the slots with the ids that targets have in the kernel.
func (k *Kernel) renumber(t *Table) ([]byte, error) {
	if len(t.Slots) != Slots {
		return nil, fmt.Errorf("a table of %d slots; want %d", len(t.Slots), Slots)
	}
	to := make([]uint32, len(t.Targets)+1)
	for i, a := range t.Targets {
		if a.IsValid() {
			to[i+1] = uint32(k.targets.of[addressOf(a)])
		}
	}
	value := make([]byte, 0, tableBytes)
	for _, s := range t.Slots {
		first, second := int(s&0xffff), int(s>>16)
		if first >= len(to) || second >= len(to) {
			return nil, fmt.Errorf("a slot of ids %d and %d in a table of %d targets", first, second, len(t.Targets))
		}
		value = binary.LittleEndian.AppendUint32(value, to[first]|to[second]<<16)
	}
	return value[:tableBytes], nil
}

// putVIPs writes the VIPs that are new or changed, and takes those away that left.
func (k *Kernel) putVIPs(want map[balancerVipKey]balancerVip) error {
	var key balancerVipKey
	var value balancerVip
	var left []balancerVipKey
	same := map[balancerVipKey]bool{}
	has := k.objects.Vips.Iterate()
	for has.Next(&key, &value) {
		if v, stays := want[key]; !stays {
			left = append(left, key)
		} else if v == value {
			same[key] = true
		}
	}
	if err := has.Err(); err != nil {
		return fmt.Errorf("xdp: VIPs: %w", err)
	}
	for key, value := range want {
		if same[key] {
			continue
		}
		if err := k.objects.Vips.Put(&key, &value); err != nil {
			return fmt.Errorf("xdp: VIPs: %w", err)
		}
	}
	for _, key := range left {
		if err := ignoreGone(k.objects.Vips.Delete(&key)); err != nil {
			return fmt.Errorf("xdp: VIPs: %w", err)
		}
	}
	return nil
}

// putQUIC writes which ids of connections name which target.
func (k *Kernel) putQUIC(p *Plan) error {
	want := map[balancerQuicKey]uint32{}
	for i := range p.Listeners {
		l := &p.Listeners[i]
		for id, target := range l.QUIC {
			key := balancerQuicKey{Listener: k.listeners.of[string(l.Name)]}
			copy(key.Server[:], id)
			want[key] = uint32(k.targets.of[addressOf(target)])
		}
	}
	var key balancerQuicKey
	var value uint32
	var left []balancerQuicKey
	has := k.objects.QuicIds.Iterate()
	for has.Next(&key, &value) {
		if _, stays := want[key]; !stays {
			left = append(left, key)
		}
	}
	err := has.Err()
	for _, key := range left {
		err = errors.Join(err, ignoreGone(k.objects.QuicIds.Delete(&key)))
	}
	for key, value := range want {
		err = errors.Join(err, k.objects.QuicIds.Put(&key, value))
	}
	if err != nil {
		return fmt.Errorf("xdp: ids of QUIC: %w", err)
	}
	return nil
}

// forgetListeners takes numbers and tables from those that the plan does not have.
func (k *Kernel) forgetListeners(p *Plan) {
	stay := map[string]bool{}
	for i := range p.Listeners {
		stay[string(p.Listeners[i].Name)] = true
	}
	for name, number := range k.listeners.of {
		if stay[name] {
			continue
		}
		delete(k.tables, name)
		if err := ignoreGone(k.objects.Tables.Delete(uint32(number))); err != nil {
			k.o.Log.Warn("table of a listener that left stays", "listener", name, "error", err)
		}
		k.listeners.release(name)
	}
}

func ignoreGone(err error) error {
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return err
}
