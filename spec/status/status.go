// Package status holds what is seen, as spec holds what is wanted: the shapes
// that nodes report over the API and that the command line renders.
//
// It imports only the standard library and spec, and decides nothing.
package status

import (
	"net/netip"
	"time"

	"portico/spec"
)

// Verdict is what health says of a target.
type Verdict uint8

// The verdicts. Unknown is neither healthy nor dead: it is used only when
// nothing is healthy.
const (
	Unknown Verdict = iota
	Healthy
	Unhealthy
)

var verdictNames = [...]string{"unknown", "healthy", "unhealthy"}

// String is the word of the vocabulary.
func (v Verdict) String() string { return verdictNames[v] }

// MarshalText writes the word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the word; anything unheard of is Unknown.
func (v *Verdict) UnmarshalText(text []byte) error {
	*v = Unknown
	for i, name := range verdictNames {
		if name == string(text) {
			*v = Verdict(i)
		}
	}
	return nil
}

// Node is what one node says of itself.
type Node struct {
	Name       spec.NodeName `json:"name"`
	Site       spec.SiteName `json:"site"`
	Roles      []spec.Role   `json:"roles"`
	State      string        `json:"state"` // serving, draining or stopped
	Generation uint64        `json:"generation"`
	Started    time.Time     `json:"started"`
	Listeners  []Listener    `json:"listeners,omitempty"`
	Groups     []Group       `json:"targetGroups,omitempty"`
	Records    []Record      `json:"records,omitempty"`
	VIPs       []VIP         `json:"vips,omitempty"`
	Peers      []Peer        `json:"peers,omitempty"`
	// Unwrap is nil where nothing is unwrapped.
	Unwrap *Unwrap `json:"unwrap,omitempty"`
	// Uplinks are there where the kernel carries flows.
	Uplinks []Uplink `json:"uplinks,omitempty"`
	// Buffers is nil where no listener of the l7 tier is served.
	Buffers *Buffers `json:"buffers,omitempty"`
}

// Buffers is the memory that requests and answers under way hold on a node.
type Buffers struct {
	Held int64 `json:"held"`           // bytes
	Most int64 `json:"most,omitempty"` // that they may; 0 means no bound
}

// Listener is one bound listener of one tier.
type Listener struct {
	Name    string         `json:"name"`
	Tier    spec.Role      `json:"tier"`
	Address netip.AddrPort `json:"address"`
	// Active counts flows (l4) or connections (l7) open now.
	Active int64 `json:"active"`
	// Total counts flows (l4), requests (l7) or queries (dns) since start.
	Total uint64 `json:"total"`
	// Failed counts those that ended by a fault of ours or of a target.
	Failed uint64 `json:"failed"`
	// Kernel is what the kernel counted; nil where it does not carry the listener.
	Kernel *Kernel `json:"kernel,omitempty"`
	// Slots tells of the table that flows are placed by; nil when balances place them.
	Slots *Slots `json:"slots,omitempty"`
}

// Kernel is what the kernel counted of a listener that it carries, for all its VIPs.
type Kernel struct {
	Forward spec.Forward `json:"forward"`
	Packets uint64       `json:"packets"`
	Bytes   uint64       `json:"bytes"`
	// Unlearned counts packets of flows that could not be remembered, because too
	// many came at once or there was no room: they are placed by hash alone.
	Unlearned uint64 `json:"unlearned"`
	// Drops counts packets that went nowhere, by the reason.
	Drops map[string]uint64 `json:"drops,omitempty"`
}

// Group is a target group as one node sees it.
type Group struct {
	Name    spec.TargetGroupName `json:"name"`
	Balance string               `json:"balance"`
	// Mode says which targets are used: healthy, unknown (none is healthy),
	// fail-open (all are unhealthy, all are used) or none.
	Mode    string   `json:"mode"`
	Queue   *Queue   `json:"queue,omitempty"` // nil for a group without limits
	Targets []Target `json:"targets"`
}

// Queue is what waits for a target because each is at its limit.
type Queue struct {
	Length int `json:"length"`
	Max    int `json:"max"`
	// What became of those that waited, since start: they got a target; found the
	// queue full; waited as long as they may; or went away.
	Served  uint64 `json:"served"`
	Refused uint64 `json:"refused"`
	Late    uint64 `json:"late"`
	Gone    uint64 `json:"gone"`
}

// Target is one target as one node sees it.
type Target struct {
	Label   string        `json:"label"`
	Address spec.AddrPort `json:"address"`
	Site    spec.SiteName `json:"site,omitempty"`
	Weight  int           `json:"weight"`
	Drain   bool          `json:"drain,omitempty"`
	Verdict Verdict       `json:"verdict"`
	// Used says whether new requests or flows may be sent to it now.
	Used   bool      `json:"used"`
	Reason string    `json:"reason,omitempty"` // why the verdict is what it is
	Since  time.Time `json:"since"`            // of the verdict
	Active int64     `json:"active"`           // requests or flows in flight from this node
	Total  uint64    `json:"total"`            // requests or flows sent by this node since start
	// Percent of its weight that it has while it warms up; 0 when it does not.
	Percent int `json:"percent,omitempty"`
	// Ejection tells of the times that it was ejected for its answers; nil means never.
	Ejection *Ejection `json:"ejection,omitempty"`
}

// Ejection is what the answers of a target came to.
type Ejection struct {
	Phase   string    `json:"phase"`  // in, ejected, or on trial
	Since   time.Time `json:"since"`  // of the phase
	Until   time.Time `json:"until"`  // of the last ejection
	Reason  string    `json:"reason"` // of the last ejection
	History []Ejected `json:"history"`
}

// Ejected is one time that a target was ejected.
type Ejected struct {
	At     time.Time `json:"at"`
	For    string    `json:"for"`
	Reason string    `json:"reason"`
}

// Record is one DNS name with a policy, and what it answers now.
type Record struct {
	Name   string       `json:"name"`
	Policy string       `json:"policy"`
	Mode   string       `json:"mode"` // healthy, unknown, fail-open or none
	Sites  []RecordSite `json:"sites"`
}

// RecordSite is one site a record may answer with.
type RecordSite struct {
	Site      spec.SiteName `json:"site"`
	Addresses []netip.Addr  `json:"addresses"`
	Weight    int           `json:"weight,omitempty"`
	Verdict   Verdict       `json:"verdict"`
	Used      bool          `json:"used"`
	Reason    string        `json:"reason,omitempty"`
}

// Question is what explain is asked: a request as a client would make it.
type Question struct {
	URL    string              `json:"url"`
	Method string              `json:"method,omitempty"` // GET when empty
	From   netip.Addr          `json:"from,omitzero"`
	Header map[string][]string `json:"header,omitempty"`
	// Draw is what everything that is drawn at random is made from, so that the
	// same is drawn twice; 0 means anew each time.
	Draw uint32 `json:"draw,omitempty"`
	// VIP and Flow are filled in on the way: the address DNS answered with, and
	// the client's port where one is needed for hashing.
	VIP  netip.AddrPort `json:"vip,omitzero"`
	Flow uint16         `json:"flow,omitempty"`
	// Seat is the address of the l7 node that the l4 tier chose; without an l4
	// tier it is the VIP.
	Seat netip.AddrPort `json:"seat,omitzero"`
}

// Answer is what one tier of one node would do with a Question.
type Answer struct {
	Tier spec.Role     `json:"tier"`
	Node spec.NodeName `json:"node"`
	// Result is the one-line outcome.
	Result string `json:"result"`
	// Lines are the reasons, in the order they were weighed.
	Lines []Line `json:"lines,omitempty"`
	// Next are the addresses the request would go to, best first: a VIP (dns),
	// an l7 node or tcp target (l4), a target (l7). Empty means it ends here.
	Next []netip.AddrPort `json:"next,omitempty"`
}
