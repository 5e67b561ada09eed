package limit

import "sync"

// Seats counts requests under way by key. Its methods are safe for use by several
// goroutines. It holds a key only while a request of it is under way, so its
// memory is bounded by the connections there are.
type Seats struct {
	most   int
	shards [shardsMax]struct {
		mu    sync.Mutex // guards taken
		taken map[uint64]int
		_     [48]byte // the next lock is on another cache line
	}
}

// NewSeats returns so many free seats for each key.
func NewSeats(most int) *Seats {
	s := &Seats{most: most}
	for i := range s.shards {
		s.shards[i].taken = map[uint64]int{}
	}
	return s
}

// Take takes a seat if one is free. With force it takes one anyway, so that those
// above the limit are known too. It returns how many of the key are taken then,
// and whether one was free. A seat that was taken is given back once.
func (s *Seats) Take(key uint64, force bool) (taken int, free bool) {
	h := &s.shards[key%shardsMax]
	h.mu.Lock()
	defer h.mu.Unlock()
	taken = h.taken[key]
	free = taken < s.most
	if free || force {
		taken++
		h.taken[key] = taken
	}
	return taken, free
}

// Give gives a seat back.
func (s *Seats) Give(key uint64) {
	h := &s.shards[key%shardsMax]
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken[key]--; h.taken[key] <= 0 {
		delete(h.taken, key)
	}
}

// Taken is how many seats of a key are taken.
func (s *Seats) Taken(key uint64) int {
	h := &s.shards[key%shardsMax]
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taken[key]
}

// Stats counts the keys that have a request under way.
func (s *Seats) Stats() (keys int) {
	for i := range s.shards {
		h := &s.shards[i]
		h.mu.Lock()
		keys += len(h.taken)
		h.mu.Unlock()
	}
	return keys
}
