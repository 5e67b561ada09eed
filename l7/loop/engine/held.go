package engine

import (
	"sync/atomic"

	"portico/l7/loop/link"
)

// requestSize is what one request under way is taken to need besides what is counted:
// its Memory, and what one reading adds when there is hardly any left.
const requestSize = 8 << 10

// memory is what requests and answers under way hold on one loop.
type memory struct {
	most int // that they may; 0 means no bound
	lent int // Memories in use
	kept int // bodies that are gathered, answers that are held

	told atomic.Int64 // all of it, for other goroutines
}

// held is how many bytes requests and answers under way hold.
func (w *worker) held() int {
	return w.links.Held + w.shared.Held + w.memory.kept + w.memory.lent*requestSize
}

// Keep counts bytes that a request keeps (exchange.Memories).
func (w *worker) Keep(n int) { w.memory.kept += n }

// Used is how much of the bound is in use, in percent (exchange.Memories).
func (w *worker) Used() int {
	if w.memory.most <= 0 {
		return 0
	}
	return w.held() * 100 / w.memory.most
}

// readMax is how much is read at once: little from half of the bound on, and the least
// where nothing is left, so that what is admitted can still be finished.
func (w *worker) readMax() int {
	switch held := w.held(); {
	case w.memory.most <= 0 || held < w.memory.most/2:
		return link.ReadMax
	case held < w.memory.most:
		return link.SlowRead
	}
	return link.LeastRead
}

// round ends one round of the loop.
func (w *worker) round() {
	w.flushAll()
	held := w.held()
	w.shared.Tight = w.memory.most > 0 && held >= w.memory.most/2
	if n := int64(held); n != w.memory.told.Load() {
		w.memory.told.Store(n)
	}
}
