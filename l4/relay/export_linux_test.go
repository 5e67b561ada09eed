package relay

import "sync/atomic"

// PipesMade is how many pipes there are, in use or not.
func (r *Relay) PipesMade() int {
	var made atomic.Int64
	r.mu.Lock()
	defer r.mu.Unlock()
	r.each(func(l *loop) {
		made.Add(int64(l.pipes.Made()))
	})
	return int(made.Load())
}
