package xdp

import (
	"net/netip"

	"github.com/cilium/ebpf"

	"portico/l4"
	"portico/spec"
)

// Run sends one packet through the program, without an interface.
func (k *Kernel) Run(packet []byte) (verdict uint32, out []byte, err error) {
	return k.objects.Balancer.Test(packet)
}

// Program is the program itself.
func (k *Kernel) Program() *ebpf.Program { return k.objects.Balancer }

// Letters of flows: what the flow table holds is told by addresses. The zero
// AddrPort is none, and Left a target that left the node.
var Left = netip.MustParseAddrPort("0.0.0.0:1")

// SetFlow makes the flow table hold a flow, on first and perhaps on second.
func (k *Kernel) SetFlow(t l4.Tuple, first, second netip.AddrPort) error {
	var f balancerFlow
	ref := func(a netip.AddrPort) (id, epoch uint16) {
		if !a.IsValid() {
			return 0, 0
		}
		if a == Left {
			return TargetsMax - 1, 7
		}
		id = k.targets.of[addressOf(a)]
		var t balancerTarget
		if err := k.objects.Targets.Lookup(uint32(id), &t); err != nil {
			return 0, 0
		}
		return id, t.Epoch
	}
	var ids [2]uint16
	ids[0], f.Epoch = ref(first)
	ids[1], f.SecondEpoch = ref(second)
	f.Slot = uint32(ids[0]) | uint32(ids[1])<<16
	m, key := k.flowKey(t)
	if f.Slot == 0 {
		return ignoreGone(m.Delete(key))
	}
	return m.Put(key, &f)
}

// Flow is what the flow table holds.
func (k *Kernel) Flow(t l4.Tuple) (first, second netip.AddrPort) {
	m, key := k.flowKey(t)
	var f balancerFlow
	if m.Lookup(key, &f) != nil {
		return first, second
	}
	of := func(id uint16) netip.AddrPort {
		for a, n := range k.targets.of {
			if n == id {
				return a.addrPort()
			}
		}
		if id != 0 {
			return Left
		}
		return netip.AddrPort{}
	}
	return of(uint16(f.Slot)), of(uint16(f.Slot >> 16))
}

func (k *Kernel) flowKey(t l4.Tuple) (*ebpf.Map, any) {
	src, dst := words(t.Client.Addr()), words(t.VIP.Addr())
	if t.VIP.Addr().Is4() {
		return k.objects.Flows4, &balancerTuple4{Src: src[0], Dst: dst[0], Sport: network(t.Client.Port()), Dport: network(t.VIP.Port()), Proto: uint8(t.Proto)}
	}
	return k.objects.Flows6, &balancerTuple6{Src: src, Dst: dst, Sport: network(t.Client.Port()), Dport: network(t.VIP.Port()), Proto: uint8(t.Proto)}
}

// Busy is the kernel in the middle of an Apply, until release is called.
func (k *Kernel) Busy() (release func()) {
	k.mu.Lock()
	return k.mu.Unlock
}

// Keep looks at the uplinks, as Run does every while.
func (d *Datapath) Keep() error { return d.keep() }

// Stop lets go of the kernel, which goes on: as the end of Run for a successor.
func (d *Datapath) Stop() error { return d.now.Load().kernel.Close() }

// NATOf are the addresses that a node's targets see.
func NATOf(n *spec.Node) []netip.Addr { return natOf(n) }
