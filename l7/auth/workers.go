package auth

import "sync"

// Workers do what would hold an event loop up, so many at a time, and so many more
// may wait. Their methods are safe for use by several goroutines.
type Workers struct {
	o WorkersOptions

	mu      sync.Mutex // guards what follows
	working int
	waiting []func()
}

// WorkersOptions are what NewWorkers needs.
type WorkersOptions struct {
	Most    int // at once; at least 1
	Waiting int // beyond those; 0 means none
	// Go starts a goroutine of who waits for it to end, and reports whether it did.
	Go func(f func()) bool
}

// NewWorkers returns workers of which none works yet.
func NewWorkers(o WorkersOptions) *Workers { return &Workers{o: o} }

// Do has f done soon, and reports whether there was room for it.
func (w *Workers) Do(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.working >= max(w.o.Most, 1) {
		if len(w.waiting) >= w.o.Waiting {
			return false
		}
		w.waiting = append(w.waiting, f)
		return true
	}
	if !w.o.Go(func() { w.work(f) }) {
		return false
	}
	w.working++
	return true
}

// work does f, and then what waits.
func (w *Workers) work(f func()) {
	for f != nil {
		f()
		f = w.next()
	}
}

func (w *Workers) next() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.working--
		return nil
	}
	f := w.waiting[0]
	w.waiting = append(w.waiting[:0], w.waiting[1:]...)
	return f
}
