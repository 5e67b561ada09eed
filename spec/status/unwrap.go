package status

import "net/netip"

// Unwrap is what an l7 node takes out of the packets that l4 nodes wrap for it.
type Unwrap struct {
	// Interface is where they come in.
	Interface string `json:"interface"`
	// From are the l4 nodes that they are taken from, in order.
	From []netip.Addr `json:"from"`
	// Results counts packets since the program's maps were made, by what became of them.
	Results map[string]uint64 `json:"results"`
}

// Sum adds up some of the results.
func (u *Unwrap) Sum(of ...string) (n uint64) {
	for _, r := range of {
		n += u.Results[r]
	}
	return n
}
