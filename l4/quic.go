package l4

import (
	"encoding/binary"

	"portico/l4/maglev"
	"portico/spec"
	"portico/target/balance"
)

// Of the head of a QUIC packet (RFC 9000, section 17) and of connection ids that name
// a server (draft-ietf-quic-load-balancers, section 3).
const (
	quicLong      = 0x80
	quicType      = 0x30
	quicHandshake = 0x20
	quicV1        = 1
	quicLongHead  = 6    // the first byte, the version, the length of the id
	quicConfig    = 0xe0 // all of these bits set: the id names nobody
	quicNonceMin  = 4
)

// QUICServer is the server id of so many bytes in the connection id that a datagram
// is sent to, or nil. Only packets that carry an id of the server's making are asked:
// short headers and handshakes of version 1. An Initial may carry whatever its client
// drew. The kernel has the same steps in C (l4/xdp/bpf/quic.h).
func QUICServer(datagram []byte, bytes int) []byte {
	if len(datagram) < quicLongHead {
		return nil
	}
	id := datagram[1:]
	if datagram[0]&quicLong != 0 {
		if datagram[0]&quicType != quicHandshake || binary.BigEndian.Uint32(datagram[1:]) != quicV1 {
			return nil
		}
		if int(datagram[quicLongHead-1]) < 1+bytes+quicNonceMin {
			return nil
		}
		id = datagram[quicLongHead:]
	}
	// No packet of QUIC is so short that this much of it is not there.
	if len(id) < 1+spec.QUICServerMax || id[0]&quicConfig == quicConfig {
		return nil
	}
	return id[1 : 1+bytes]
}

// Named is the target that a datagram's connection id names, or nil.
func (l *Listener) Named(datagram []byte) *maglev.Name {
	for id := range l.QUIC { // one tells the length of all
		if name, ok := l.QUIC[string(QUICServer(datagram, len(id)))]; ok {
			return &name
		}
		break
	}
	return nil
}

// byName places a flow at the target that its connection id names, as long as what
// began there may go on there. It reports false where there is none.
func (d *Decision) byName(f Flow, groups Groups) bool {
	if len(f.Datagram) == 0 {
		return false
	}
	name := d.Listener.Named(f.Datagram)
	if name == nil {
		return false
	}
	share, group := d.Listener.shareOf(name.Group), groups.Group(name.Group)
	if share == nil || group == nil {
		return false
	}
	named := group.Resume(balance.Key(name.Address))
	if named == nil {
		return false
	}
	d.Share, d.Group, d.Target = share, group, named
	return true
}

// quicServers finds the ids of a listener's targets. What check refuses is left out.
func quicServers(want *spec.Spec, site *spec.Site, l *spec.Listener) map[string]maglev.Name {
	var ids map[string]maglev.Name
	for _, ref := range groupsOf(l) {
		g := want.TargetGroup(ref.Name)
		if g == nil {
			continue
		}
		for _, t := range g.At(site.Name) {
			id, err := t.QUICServer.Bytes()
			if err != nil || len(id) == 0 {
				continue
			}
			if ids == nil {
				ids = map[string]maglev.Name{}
			}
			ids[string(id)] = maglev.Name{Group: g.Name, Address: t.Address.AddrPort}
		}
	}
	return ids
}
