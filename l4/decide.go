package l4

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"portico/l4/maglev"
	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// Groups are the live target groups of the node.
type Groups interface {
	// Group returns the group of that name, or nil.
	Group(name spec.TargetGroupName) *target.Group
}

// Tables are the live tables of slots.
type Tables interface {
	// Table returns the slots of a listener, or nil for one whose flows are placed
	// by the balances of its groups.
	Table(name spec.ListenerName) *maglev.Table
}

// Flow is what a decision depends on, beside the table and the live groups.
type Flow struct {
	Proto  Proto // TCP when 0
	Client netip.AddrPort
	VIP    netip.AddrPort // the address and port the client connected to
	Server string         // the name a client of a tls listener asks for, in lower case
	// Datagram is the first one of a flow of UDP: a connection id of QUIC in it may
	// name the target.
	Datagram []byte
	Draw     uint64    // uniformly random, for balances that draw
	Now      time.Time // for balances that learn how long targets take
	// Tried are the targets that could not be reached, in the order of the tries.
	Tried []*target.Target
}

// Key is what a flow is known by, the same on every node.
func (f Flow) Key() uint64 {
	var b [2 * (16 + 2)]byte
	put := func(at int, a netip.AddrPort) {
		addr := a.Addr().As16()
		copy(b[at:], addr[:])
		binary.BigEndian.PutUint16(b[at+16:], a.Port())
	}
	put(0, f.Client)
	put(18, f.VIP)
	return xxh3.Hash(b[:])
}

// Why says how a decision came out.
type Why uint8

// The outcomes of a decision.
const (
	Chosen     Why = iota // there is a target
	NoListener            // nothing listens on the VIP and port
	NoServer              // no server of the tls listener has the name
	NoGroup               // every group has weight 0, or the group is not there
	NoTarget              // the group offers no target
	AllTried              // every target the group offers was tried
	Full                  // every target the group offers is at its limit
)

var whyWords = [...]string{
	Chosen:     "chosen",
	NoListener: "nothing listens on this VIP and port",
	NoServer:   "no server has the name that was asked for",
	NoGroup:    "no target group takes flows",
	NoTarget:   "the target group has no target to offer",
	AllTried:   "every target of the group was tried",
	Full:       "every target of the group is at its limit",
}

// String says the outcome in words.
func (w Why) String() string { return whyWords[w] }

// Decision is where a flow goes.
type Decision struct {
	Listener *Listener
	Share    *Share // the group's part in the listener; nil when none was chosen
	Group    *target.Group
	Target   *target.Target // nil unless Why is Chosen
	Why      Why

	slots *maglev.Table // that the flow was placed by; nil when a balance did
	hash  uint32        // that it was placed by
}

// Decide chooses a target for a flow, or says why there is none.
//
// Where every group of the listener balances by maglev, the flow goes to the owner
// of its slot, as on every other node and in the kernel: Place says so. Elsewhere
// the group is chosen by the flow's key and the weights, so that every node chooses
// alike and a change of weights moves few; the target by the group's balance. In
// either case a group without a target keeps its share: weights are a person's
// word, and its flows would fall on groups that were not sized for them.
// Before either, a connection id of QUIC says which target has the connection.
func Decide(f Flow, table *Table, groups Groups) Decision {
	d := place(f, table, groups)
	if d.Why != Chosen || d.Target != nil && !slices.Contains(f.Tried, d.Target) {
		return d
	}
	d.Target = d.Group.Pick(f.query(), f.Tried)
	switch {
	case d.Target != nil:
	case len(f.Tried) > 0:
		d.Why = AllTried
	default:
		d.Why = NoTarget
	}
	return d
}

// Begin counts the flow at the decision's target or, where that is at its group's
// limit, at another. Without one that has room the decision has no target and is Full.
func (d *Decision) Begin(f Flow) {
	if d.Target.TryBegin() {
		return
	}
	if d.Target, _ = d.Group.Take(f.query(), f.Tried); d.Target == nil {
		d.Why = Full
	}
}

// place chooses the group of a flow and, where slots do, its target.
func place(f Flow, table *Table, groups Groups) Decision {
	d := Decision{Listener: table.Listener(f.proto(), f.VIP)}
	if d.Listener == nil {
		d.Why = NoListener
		return d
	}
	serves := d.Listener.Server(f.Server)
	if serves == nil {
		d.Why = NoServer
		return d
	}
	d.Listener = serves
	if d.byName(f, groups) {
		return d
	}
	if table.slots != nil && d.Listener.Hashes {
		if slots := table.slots.Table(d.Listener.Name); slots != nil && d.bySlot(f, slots, groups) {
			return d
		}
	}
	if d.Share = d.Listener.share(f.Key()); d.Share != nil {
		d.Group = groups.Group(d.Share.Group)
	}
	if d.Group == nil {
		d.Why = NoGroup
	}
	return d
}

// bySlot places a flow at its slot's owner. It reports false where the slots are of
// another spec than the listener: for the moment that one is applied in.
func (d *Decision) bySlot(f Flow, slots *maglev.Table, groups Groups) bool {
	hash := d.Listener.Hash(f)
	owner := slots.Name(Place(slots.Slot(hash), Seen{Starts: true}).Target)
	if owner == nil {
		d.slots, d.hash, d.Why = slots, hash, NoTarget
		return true
	}
	share, group := d.Listener.shareOf(owner.Group), groups.Group(owner.Group)
	if share == nil || group == nil {
		return false
	}
	d.slots, d.hash, d.Share, d.Group = slots, hash, share, group
	// One whose verdict is newer than the slots is passed over: nil.
	d.Target = group.Resume(balance.Key(owner.Address))
	return true
}

// Hash is the hash of a flow to the listener.
func (l *Listener) Hash(f Flow) uint32 {
	t := Tuple{Proto: f.proto(), Client: f.Client, VIP: f.VIP}
	if l.Source {
		return t.HashSource()
	}
	return t.Hash()
}

func (f Flow) proto() Proto {
	if f.Proto == 0 {
		return TCP
	}
	return f.Proto
}

func (f Flow) query() balance.Query { return balance.Query{Key: f.Key(), Draw: f.Draw, Now: f.Now} }

// shareOf is the group's share in the listener, or nil when it has none.
func (l *Listener) shareOf(group spec.TargetGroupName) *Share {
	for i := range l.Shares {
		if l.Shares[i].Group == group {
			return &l.Shares[i]
		}
	}
	return nil
}

// share chooses among the shares by weight, or returns nil when none has any.
func (l *Listener) share(key uint64) *Share {
	if l.weights == 0 {
		return nil
	}
	at := mix(key) % l.weights
	for i := range l.Shares {
		s := &l.Shares[i]
		if at < uint64(s.Weight) {
			return s
		}
		at -= uint64(s.Weight)
	}
	return nil
}

// mix makes the choice of a group independent of the choice within it, which
// uses the same key. It is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
