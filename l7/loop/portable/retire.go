package portable

import "portico/l7/loop"

// Retire drains the connections of some listeners, or ends them at once.
func (d *Driver) Retire(gone func(loop.Listener) bool, reset bool) {
	for _, c := range d.all() {
		c.mu.Lock()
		retired := c.l != nil && gone(c.l)
		c.mu.Unlock()
		switch {
		case !retired:
		case reset:
			c.kill()
		default:
			c.drain()
		}
	}
}
