package l4

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"

	"portico/l4/maglev"
	"portico/spec"
)

// Table is what a node's flows are decided by: the part of a spec that matters
// to one l4 node, ready to be looked up. It is never changed once made.
type Table struct {
	listeners map[netip.AddrPort]*Listener
	udp       map[netip.AddrPort]*Listener
	// listed are the targets of each group that is in use, those that drain left
	// out.
	listed map[spec.TargetGroupName]map[netip.AddrPort]bool
	slots  Tables // nil when balances place every flow
}

// Listener is one listener of the table, the same for all addresses of its VIP.
type Listener struct {
	Name spec.ListenerName
	// FlowsMax is how many flows it takes at once; 0 means no bound of its own.
	FlowsMax int
	// FlowRate is how often new ones may come; nil means no bound of its own.
	FlowRate *spec.ConnectionRate
	// TCP is how its sockets are set.
	TCP spec.ListenerTCP
	// Floating says that its VIP may be one that the node does not hold now.
	Floating bool
	// Shares are the target groups that share the flows, by weight.
	Shares []Share
	// TLS says that the name a client asks for chooses the shares; see Server.
	TLS bool
	// ProxyFrom are the clients that must send a PROXY header.
	ProxyFrom []netip.Prefix
	// Head bounds how long a client takes to send what must be read before a target
	// is chosen; 0 means no bound.
	Head time.Duration
	// Log says that flows are logged when they end.
	Log bool
	// Hashes says that every group balances by maglev, so that one table of slots
	// places all flows, in either datapath.
	Hashes bool
	// Source says that flows are hashed without their ports.
	Source bool
	// QUIC are the targets that connection ids name, by the bytes of their server
	// ids, which are all of one length; nil when they name none.
	QUIC map[string]maglev.Name

	weights uint64               // of all shares
	servers map[string]*Listener // by name, or by what follows the * of a wildcard
}

// Share is a target group's part in a listener, and how flows to it are treated.
type Share struct {
	Group  spec.TargetGroupName
	Weight int
	// Proxy is the version of the PROXY header that tells the target of the client;
	// empty means none.
	Proxy spec.ProxyProtocol
	// Identify gives the flow an id there, unless it came with one.
	Identify bool
	// Connect bounds each try to reach a target; 0 means no bound.
	Connect time.Duration
	// TCP is how sockets to its targets are set.
	TCP spec.TCP
	// Idle is how long a flow lives without a byte either way; 0 means for ever.
	Idle time.Duration
}

// NewTable makes the table of a node. A node that is not in the spec, or is no
// l4 node, has an empty one.
func NewTable(want *spec.Spec, self spec.NodeName) *Table {
	t := &Table{
		listeners: map[netip.AddrPort]*Listener{},
		udp:       map[netip.AddrPort]*Listener{},
		listed:    map[spec.TargetGroupName]map[netip.AddrPort]bool{},
	}
	_, site := want.Node(self)
	made := map[*spec.Listener]*Listener{}
	for _, b := range want.L4Binds(self) {
		wanted := b.For(b.Address.Addr())
		if made[wanted] == nil {
			made[wanted] = newListener(want, wanted)
			made[wanted].Floating = b.Floating
			t.list(want, site, wanted)
			if wanted.Protocol == spec.ProtocolUDP {
				made[wanted].QUIC = quicServers(want, site, wanted)
			}
		}
		if wanted.Protocol == spec.ProtocolUDP {
			t.udp[b.Address] = made[wanted]
			continue
		}
		t.listeners[b.Address] = made[wanted]
	}
	return t
}

func newListener(want *spec.Spec, l *spec.Listener) *Listener {
	made := &Listener{
		Name: l.Name, FlowsMax: l.Limits.Connections, FlowRate: l.Limits.ConnectionRate, TCP: l.TCP, TLS: l.Protocol == spec.ProtocolTLS,
		ProxyFrom: l.ProxyFrom, Head: bound(spec.Inherit(l.Timeouts).Head), Log: l.FlowLog == spec.FlowLogJSON,
	}
	if l.Protocol.IsHTTP() {
		// How long a connection may rest is for the l7 node to say: only it knows
		// what the silence means.
		made.Shares = []Share{{
			Group:   spec.L7Group(l.Port),
			Weight:  1,
			Proxy:   spec.ProxyV2,
			Connect: bound(spec.Inherit(l.Timeouts).Connect),
		}}
		made.weights = 1
	} else {
		made.take(want, l, l.TargetGroups)
	}
	if made.TLS {
		made.serve(want, l)
		return made
	}
	made.Hashes, made.Source = hashing(want, made.Shares)
	return made
}

// take gives the listener its shares.
func (l *Listener) take(want *spec.Spec, of *spec.Listener, refs []spec.GroupRef) {
	for _, ref := range refs {
		l.Shares = append(l.Shares, newShare(want, of, ref))
	}
	for _, s := range l.Shares {
		l.weights += uint64(s.Weight)
	}
}

// groupsOf lists every group that flows of a listener may go to.
func groupsOf(l *spec.Listener) []spec.GroupRef {
	all := slices.Clone(l.TargetGroups)
	for _, s := range l.Servers {
		all = append(all, s.TargetGroups...)
	}
	return all
}

// uses reports whether flows of the listener may be at a group.
func (l *Listener) uses(group spec.TargetGroupName) bool {
	return slices.ContainsFunc(l.all(), func(s Share) bool { return s.Group == group })
}

// all lists the shares of every name.
func (l *Listener) all() []Share {
	all := l.Shares
	for _, own := range l.servers {
		all = append(slices.Clip(all), own.Shares...)
	}
	return all
}

// hashing says whether groups all balance by maglev, and whether by the client's
// address alone: where every one names it as its key. Groups that are implied, and
// those that name no balance, do by the whole flow.
func hashing(want *spec.Spec, shares []Share) (hashes, source bool) {
	source = true
	for _, s := range shares {
		g := want.TargetGroup(s.Group)
		if g == nil || g.Balance == nil {
			source = false
			continue
		}
		if g.Balance.Name != "maglev" {
			return false, false
		}
		by, ok := g.Balance.Params.(spec.Hashing)
		if !ok {
			source = false
			continue
		}
		key, prefix := by.Hashed()
		if key.From != "client" {
			source = false
		} else if prefix.V4%32 != 0 || prefix.V6%128 != 0 { // zero means all of it
			return false, false // in a table the whole of an address counts
		}
	}
	return true, source && len(shares) > 0
}

func newShare(want *spec.Spec, l *spec.Listener, ref spec.GroupRef) Share {
	s := Share{Group: ref.Name, Weight: max(ref.Weight, 0)}
	timeouts := spec.Inherit(l.Timeouts)
	if g := want.TargetGroup(ref.Name); g != nil {
		timeouts = spec.Inherit(l.Timeouts, g.Timeouts)
		s.TCP = g.TCP
		s.Proxy, s.Identify = g.ProxyProtocol, g.ProxyProtocol == spec.ProxyV2
	}
	s.Connect, s.Idle = bound(timeouts.Connect), bound(timeouts.Idle)
	return s
}

// bound gives "off" the meaning it has in a Share.
func bound(d spec.Duration) time.Duration { return max(d.D(), 0) }

// list notes the targets that flows of a listener may be on.
func (t *Table) list(want *spec.Spec, site *spec.Site, l *spec.Listener) {
	if l.Protocol.IsHTTP() {
		nodes := map[netip.AddrPort]bool{}
		for _, n := range site.With(spec.RoleL7) {
			nodes[netip.AddrPortFrom(n.Address, l.Port)] = true
		}
		t.listed[spec.L7Group(l.Port)] = nodes
		return
	}
	for _, ref := range groupsOf(l) {
		g := want.TargetGroup(ref.Name)
		if g == nil || t.listed[ref.Name] != nil {
			continue
		}
		targets := map[netip.AddrPort]bool{}
		for _, target := range g.At(site.Name) {
			if !target.Drain {
				targets[target.Address.AddrPort] = true
			}
		}
		t.listed[ref.Name] = targets
	}
}

// PlacedBy has the flows of listeners that hash placed by slots. It is called before
// the table is used, and returns it.
func (t *Table) PlacedBy(slots Tables) *Table {
	t.slots = slots
	return t
}

// Listeners lists every listener once, by name.
func (t *Table) Listeners() []*Listener {
	var all []*Listener
	t.every(func(l *Listener) {
		if !slices.Contains(all, l) {
			all = append(all, l)
		}
	})
	slices.SortFunc(all, func(a, b *Listener) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Addresses lists where the node takes connections, in no order.
func (t *Table) Addresses() []netip.AddrPort {
	all := make([]netip.AddrPort, 0, len(t.listeners))
	for a := range t.listeners {
		all = append(all, a)
	}
	return all
}

// Datagrams lists the addresses that the node takes datagrams at, in no order.
func (t *Table) Datagrams() []netip.AddrPort {
	return slices.Collect(maps.Keys(t.udp))
}

// Listener returns the listener of a VIP and port for a protocol, or nil. A listener
// on the unspecified address takes what no other does.
func (t *Table) Listener(p Proto, vip netip.AddrPort) *Listener {
	listeners := t.listeners
	if p == UDP {
		listeners = t.udp
	}
	addr := vip.Addr().Unmap()
	if l := listeners[netip.AddrPortFrom(addr, vip.Port())]; l != nil {
		return l
	}
	wildcard := netip.IPv6Unspecified()
	if addr.Is4() {
		wildcard = netip.IPv4Unspecified()
	}
	return listeners[netip.AddrPortFrom(wildcard, vip.Port())]
}

// Keeps reports whether a flow of a listener may stay on a target without a
// bound. It may not when the listener left, no longer uses the group, or when
// the target left the group or drains. Weight 0 and bad health are no reason.
func (t *Table) Keeps(p Proto, vip netip.AddrPort, group spec.TargetGroupName, target netip.AddrPort) bool {
	l := t.Listener(p, vip)
	return l != nil && l.uses(group) && t.listed[group][target]
}

// every calls do with the listeners of both protocols.
func (t *Table) every(do func(*Listener)) {
	for _, l := range t.listeners {
		do(l)
	}
	for _, l := range t.udp {
		do(l)
	}
}

// Has reports whether a listener of that name is in the table.
func (t *Table) Has(name spec.ListenerName) bool {
	has := false
	t.every(func(l *Listener) { has = has || l.Name == name })
	return has
}

// IdleMin is the shortest idle time of any share; 0 when none has one.
func (t *Table) IdleMin() time.Duration {
	var shortest time.Duration
	t.every(func(l *Listener) {
		for _, s := range l.all() {
			if s.Idle > 0 && (shortest == 0 || s.Idle < shortest) {
				shortest = s.Idle
			}
		}
	})
	return shortest
}
