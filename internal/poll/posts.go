package poll

import "sync"

// Posts are functions that other goroutines want a loop to call. The zero value has
// none. Only Post may be called by any goroutine, the rest by the loop's.
type Posts struct {
	mu     sync.Mutex // guards:
	list   []func()
	asleep bool // the loop may be waiting; a post must wake it
}

// Post has the loop that waits with p call f. It does not wait for it.
func (s *Posts) Post(p Poller, f func()) {
	s.mu.Lock()
	s.list = append(s.list, f)
	wake := s.asleep
	s.asleep = false
	s.mu.Unlock()
	if wake {
		p.Wake()
	}
}

// Idle reports whether a loop that has nothing else to do may wait: nothing was posted
// yet, and what is from now on wakes it.
func (s *Posts) Idle(nothingElse bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asleep = nothingElse && len(s.list) == 0
	return s.asleep
}

// Call calls what was posted before; what that posts comes with the next Call.
func (s *Posts) Call() {
	s.mu.Lock()
	s.asleep = false
	list := s.list
	s.list = nil
	s.mu.Unlock()
	for _, f := range list {
		f()
	}
}
