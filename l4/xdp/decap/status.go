package decap

import (
	"net/netip"
	"slices"

	"portico/spec/status"
)

// Status says what is unwrapped here; nil when nothing is.
func (d *Decapsulator) Status() *status.Unwrap {
	results := d.counts()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room == 0 {
		return nil
	}
	u := &status.Unwrap{Interface: d.machine.where(), Results: results}
	for a, r := range d.now.and(d.before).nodes {
		if r&isL4 != 0 {
			u.From = append(u.From, a)
		}
	}
	slices.SortFunc(u.From, netip.Addr.Compare)
	return u
}
