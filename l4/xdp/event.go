package xdp

// Event is what happened to a packet on its way, or why it was dropped. The
// numbers are those of enum event in bpf/count.h, which a test compares.
type Event uint8

// The events. From DropMalformed on, the packet was dropped.
const (
	EventNone      Event = iota
	EventMissed          // the flow was not in the flow table
	EventLearned         // it was put there
	EventUnlearned       // it was not, for too many came at once or there was no room
	EventMoved           // its target is gone, so another was taken
	EventQUIC            // placed by its connection id
	EventFragment        // a fragment was placed
	EventOptions         // it had IPv4 options or IPv6 extension headers
	EventVLAN            // it had a VLAN tag
	EventError           // an ICMP error was delivered to the target of its flow
	EventEcho            // an echo request to a VIP was answered
	EventTooBig          // the client was told to send less at once
	EventBack            // a packet of a target went back to its client
	DropMalformed        // its lengths lie, or headers are cut off
	DropNoTable          // the listener has no table
	DropNoTarget         // the slot names no target
	DropNoSource         // the node has no address of the family for the outer header
	DropMode             // the target's family does not go with the mode
	DropTooBig           // it would not fit into the way to the target
	DropTTL              // it went through too many routers
	DropFragment         // a fragment without its first, or under NAT
	DropNATFull          // no port was free
	DropNATLimited       // too many new flows at once
	DropError            // an ICMP error about no flow of ours
	DropRoute            // the kernel knows no way to the target
	DropHeadroom         // the driver leaves no room for a header
	eventsEnd
)

// eventsShift is EVENTS_SHIFT: events of a listener lie side by side.
const eventsShift = 5

const _ = uint(1<<eventsShift - eventsEnd)

var eventNames = [...]string{
	EventNone: "none", EventMissed: "missed", EventLearned: "learned", EventUnlearned: "unlearned", EventMoved: "moved",
	EventQUIC: "quic", EventFragment: "fragment", EventOptions: "options", EventVLAN: "vlan", EventError: "icmp-error",
	EventEcho: "echo", EventTooBig: "too-big", EventBack: "back",
	DropMalformed: "malformed", DropNoTable: "no-table", DropNoTarget: "no-target", DropNoSource: "no-source",
	DropMode: "mode", DropTooBig: "too-big-dropped", DropTTL: "ttl", DropFragment: "fragment-dropped", DropNATFull: "nat-full",
	DropNATLimited: "nat-limited", DropError: "icmp-error-dropped", DropRoute: "no-route", DropHeadroom: "no-headroom",
}

// String is the event's name in metrics.
func (e Event) String() string { return eventNames[e] }

// Drops reports whether the packet went nowhere.
func (e Event) Drops() bool { return e >= DropMalformed }

// Events lists all events but EventNone.
func Events() []Event {
	all := make([]Event, 0, eventsEnd-1)
	for e := EventMissed; e < eventsEnd; e++ {
		all = append(all, e)
	}
	return all
}
