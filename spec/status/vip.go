package status

import (
	"net/netip"
	"time"
)

// VIP is one address of a VIP as one node sees it.
type VIP struct {
	Name     string     `json:"name"`
	Address  netip.Addr `json:"address"`
	Announce string     `json:"announce"` // how the world learns of it
	// Announced says whether this node tells the world now that it holds the address.
	Announced bool   `json:"announced"`
	Reason    string `json:"reason"` // why, or why not
	// Owner is the node that answers for the address where only one may; empty when
	// that is not known or not so.
	Owner string    `json:"owner,omitempty"`
	Since time.Time `json:"since"` // of Announced
}

// Peer is one BGP session of a node with a router.
type Peer struct {
	Address string `json:"address"` // or the interface of an unnumbered one
	AS      uint32 `json:"as"`
	State   string `json:"state"` // as RFC 4271 names it, in lower case
	// BFD is its state, in lower case; empty without BFD.
	BFD    string    `json:"bfd,omitempty"`
	Routes int       `json:"routes"` // announced to it
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"` // of State
}
