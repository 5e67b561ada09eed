package engine

// Spread is how many clients the fullest and the emptiest loop have.
func (d *Driver) Spread() (most, least int64) {
	least = 1 << 62
	for _, w := range d.workers {
		n := w.clients.Load()
		most, least = max(most, n), min(least, n)
	}
	return most, least
}
