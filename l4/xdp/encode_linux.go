package xdp

import (
	"encoding/binary"
	"net/netip"

	"portico/spec"
)

// address is a target as the maps know it.
type address struct {
	addr   [4]uint32
	port   uint16
	family uint8
}

const (
	family4 = 4
	family6 = 6
)

func familyOf(a netip.Addr) uint8 {
	if a.Unmap().Is4() {
		return family4
	}
	return family6
}

// words are an address as it lies in a packet, read on a little-endian machine.
func words(a netip.Addr) (w [4]uint32) {
	if !a.IsValid() {
		return w
	}
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		w[0] = binary.LittleEndian.Uint32(b[:])
		return w
	}
	b := a.As16()
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return w
}

// network is a number in network order, as a little-endian machine reads it.
func network(port uint16) uint16 { return port<<8 | port>>8 }

func addressOf(a netip.AddrPort) address {
	return address{words(a.Addr()), network(a.Port()), familyOf(a.Addr())}
}

func (a address) addrPort() netip.AddrPort {
	var b [16]byte
	for i, w := range a.addr {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
	if a.family == family4 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), network(a.port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(b), network(a.port))
}

// What bpf/maps.h calls modes and flags.
const (
	vipBySource = 1
	vipForgets  = 2
	vipQUIC     = 4
)

var modes = map[spec.Forward]uint8{
	spec.ForwardGUE: 1, spec.ForwardIP6IP6: 2, spec.ForwardIPIP: 3, spec.ForwardNAT: 4, spec.ForwardDSR: 5,
}

func vipKey(a netip.AddrPort, proto Proto) balancerVipKey {
	return balancerVipKey{Addr: words(a.Addr()), Port: network(a.Port()), Proto: uint8(proto), Family: familyOf(a.Addr())}
}

// echoKey is the entry of an address as such, whatever its ports.
func echoKey(a netip.Addr) balancerVipKey {
	proto := Proto(1) // ICMP
	if familyOf(a) == family6 {
		proto = 58 // ICMPv6
	}
	return vipKey(netip.AddrPortFrom(a, 0), proto)
}

func (l *Listener) vip(number uint16) balancerVip {
	v := balancerVip{Listener: number, Mode: modes[l.Forward]}
	if l.BySource {
		v.Flags |= vipBySource
	}
	if l.Forgets {
		v.Flags |= vipForgets
	}
	for id := range l.QUIC {
		v.Flags |= vipQUIC
		v.QuicBytes = uint8(len(id))
	}
	return v
}

func (p *Plan) config() balancerConfig {
	c := balancerConfig{NatPort: p.NATPort, NatPorts: p.NATPorts, Mtu: uint16(min(p.MTU, 1<<16-1))}
	if c.NatPorts == 0 {
		c.NatPort, c.NatPorts = natPortFirst, natPorts
	}
	if p.NewFlows > 0 {
		c.LearnCost = uint32(max(1_000_000_000/p.NewFlows, 1))
	}
	c.Source4, c.Source6 = words(p.Source4)[0], words(p.Source6)
	for _, a := range p.NAT {
		if familyOf(a) == family4 {
			c.Nat4[c.Nat4s] = words(a)[0]
			c.Nat4s++
		} else {
			c.Nat6[c.Nat6s] = words(a)
			c.Nat6s++
		}
	}
	return c
}
