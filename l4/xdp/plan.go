package xdp

import (
	"fmt"
	"net"
	"net/netip"

	"portico/spec"
)

// What the maps have room for.
const (
	TargetsMax      = 8192 // ids of slots go to 65535; counters of a target take 24 bytes a core
	ListenersMax    = 1024 // counters of a listener take 256 bytes a core
	VIPsMax         = 4 * ListenersMax
	NATAddressesMax = spec.NATMax     // of each family
	UplinksMax      = spec.UplinksMax // that routes are looked up between
	QUICMax         = 4 * TargetsMax  // server ids of all listeners
)

// Ports of NAT when a plan gives none: below those that Linux gives to sockets of
// its own (net.ipv4.ip_local_port_range), so that the two never meet.
const (
	natPortFirst = 1024
	natPorts     = 32768 - natPortFirst
)

// Plan is what the kernel is to do: all of it, each time.
type Plan struct {
	// Source4 and Source6 are this node's addresses in outer headers. The zero
	// address means none: packets that need one are dropped and counted.
	Source4, Source6 netip.Addr
	// NAT are this node's addresses that targets see under NAT, at most
	// NATAddressesMax of each family.
	NAT []netip.Addr
	// NATPort is the first port of NAT and NATPorts how many; both 0 means 1024
	// to 32767.
	NATPort, NATPorts uint16
	// MTU is what the way to targets carries, in bytes of IP; 0 means that
	// packets are not measured.
	MTU int
	// NewFlows is how many flows a second each core learns; 0 means any number.
	NewFlows  int
	Listeners []Listener
	// Targets are those that may keep flows, or of which something is to be said;
	// those of tables need not be repeated. A flow on a target that is neither
	// here nor in a table is placed anew.
	Targets []Target
}

// Proto is the protocol of flows, by its number in an IP header.
type Proto uint8

// The protocols that have ports.
const (
	TCP Proto = 6
	UDP Proto = 17
)

// Slots is how many slots a table has (SLOTS in bpf/packet.h).
const Slots = 65537

// Table says where flows go: by their hash to a slot, by that to a target.
type Table struct {
	// Targets are those of the slots; that of id i is Targets[i-1].
	Targets []netip.AddrPort
	// Slots are as many as the constant says: an id, and above its 16 bits that of
	// the target to ask second. 0 is none.
	Slots []uint32
}

// Listener is what VIPs are served by.
type Listener struct {
	Name  spec.ListenerName
	VIPs  []netip.AddrPort
	Proto Proto
	// Forward is how packets reach the targets.
	Forward spec.Forward
	// BySource keeps all flows of a client on one target.
	BySource bool
	// Forgets leaves the flow table alone: flows are placed by hash only.
	Forgets bool
	// QUIC are the targets that connection ids name, by the bytes of their server
	// ids: all of one length, at most spec.QUICServerMax. Empty means that they name none.
	QUIC map[string]netip.AddrPort
	// Table places flows. Nil means that packets are dropped and counted.
	Table *Table
}

// Target is what is to be known of a target beside its address.
type Target struct {
	Address netip.AddrPort
	// MAC and Interface are where it is on the link, for spec.ForwardDSR.
	// Interface 0 is where packets come from.
	MAC       net.HardwareAddr
	Interface int
}

// check finds what the maps could not hold.
func (p *Plan) check() error {
	if len(p.Listeners) >= ListenersMax {
		return fmt.Errorf("%d listeners: the kernel's maps have room for %d", len(p.Listeners), ListenersMax-1)
	}
	var nat4, nat6 int
	for _, a := range p.NAT {
		if a.Unmap().Is4() {
			nat4++
		} else {
			nat6++
		}
	}
	if nat4 > NATAddressesMax || nat6 > NATAddressesMax {
		return fmt.Errorf("%d and %d addresses of NAT: at most %d of each family", nat4, nat6, NATAddressesMax)
	}
	vips, ids := 0, 0
	for i := range p.Listeners {
		vips += len(p.Listeners[i].VIPs)
		ids += len(p.Listeners[i].QUIC)
	}
	if ids > QUICMax {
		return fmt.Errorf("%d server ids of QUIC: the kernel's maps have room for %d", ids, QUICMax)
	}
	if 2*vips > VIPsMax { // each port, and its address
		return fmt.Errorf("%d VIPs and ports: the kernel's maps have room for %d", vips, VIPsMax/2)
	}
	return nil
}

// targets lists every target of the plan once.
func (p *Plan) targets() map[netip.AddrPort]Target {
	all := map[netip.AddrPort]Target{}
	for _, t := range p.Targets {
		all[t.Address] = t
	}
	for i := range p.Listeners {
		if p.Listeners[i].Table == nil {
			continue
		}
		for _, a := range p.Listeners[i].Table.Targets {
			if _, known := all[a]; !known {
				all[a] = Target{Address: a}
			}
		}
	}
	return all
}
