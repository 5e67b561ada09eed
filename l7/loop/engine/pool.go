package engine

import (
	"net/netip"
	"sync/atomic"
	"time"

	"portico/l7/loop"
	"portico/l7/loop/link"
	"portico/l7/loop/wheel"
)

// pool keeps a loop's connections to targets between requests: the last one that
// came goes first, so that those not needed grow old and are closed. They are
// watched all the while: one that says something, or ends, is closed at once.
type pool struct {
	w         *worker
	idle      time.Duration // how long one is kept; negative means none is
	perTarget int
	total     int

	shelves map[link.Shelf]*row
	count   atomic.Int64
	wanted  func(netip.AddrPort) bool // nil means all are
	sweep   wheel.Timer
}

// row holds the connections of one shelf, oldest first.
type row struct{ links []*link.Link }

func (p *pool) init(w *worker, o loop.Options) {
	p.w, p.idle = w, o.PoolIdle
	p.perTarget, p.total = max(1, o.PoolPerTarget/o.Loops), max(1, o.PoolTotal/o.Loops)
	p.shelves = map[link.Shelf]*row{}
	p.sweep.Who = p
}

// take returns a connection of a shelf, or nil.
func (p *pool) take(from link.Shelf) *link.Link {
	s := p.shelves[from]
	if s == nil || len(s.links) == 0 {
		return nil
	}
	l := s.links[len(s.links)-1]
	if p.w.Now.Sub(l.Since) >= p.idle {
		return nil // and so are all others here; the sweep closes them
	}
	s.cut(len(s.links) - 1)
	p.count.Add(-1)
	return l
}

// put keeps a connection, and reports whether it did.
func (p *pool) put(l *link.Link) bool {
	switch {
	case p.idle < 0, p.w.Stopped(), p.count.Load() >= int64(p.total), p.wanted != nil && !p.wanted(l.To):
		return false
	}
	s := p.shelves[l.Shelf]
	if s == nil {
		s = &row{}
		p.shelves[l.Shelf] = s
	}
	if len(s.links) >= p.perTarget || l.In && !l.Quiet() {
		return false
	}
	l.Owner, l.Since = p, p.w.Now
	s.links = append(s.links, l)
	p.count.Add(1)
	if !p.sweep.Started() {
		p.w.Wheel.Start(&p.sweep, p.w.Now.Add(max(p.idle/2, wheel.Tick)))
	}
	return true
}

// Ready is called when a connection that has no request may be read: whatever it
// says, but what TLS says to itself, it is over.
func (p *pool) Ready(l *link.Link) {
	if !l.In {
		return
	}
	if l.Quiet() {
		return
	}
	s := p.shelves[l.Shelf]
	for i, other := range s.links {
		if other == l {
			copy(s.links[i:], s.links[i+1:])
			s.cut(len(s.links) - 1)
			p.count.Add(-1)
			break
		}
	}
	l.Close(false)
}

// cut shortens the row.
func (s *row) cut(n int) {
	clear(s.links[n:])
	s.links = s.links[:n]
}

// Expired closes what was idle for too long.
func (p *pool) Expired() {
	p.drop(func(l *link.Link) bool { return p.w.Now.Sub(l.Since) >= p.idle })
	if p.count.Load() > 0 {
		p.w.Wheel.Start(&p.sweep, p.w.Now.Add(max(p.idle/2, wheel.Tick)))
	}
}

// retain closes connections to addresses that are not wanted, now and later.
func (p *pool) retain(wanted func(netip.AddrPort) bool) {
	p.wanted = wanted
	p.w.retainTrunks(wanted)
	p.drop(func(l *link.Link) bool { return !wanted(l.To) })
}

// drop closes the connections that bad names.
func (p *pool) drop(bad func(*link.Link) bool) {
	for on, s := range p.shelves {
		kept := 0
		for _, l := range s.links {
			if bad(l) {
				p.count.Add(-1)
				l.Close(false)
				continue
			}
			s.links[kept] = l
			kept++
		}
		s.cut(kept)
		if kept == 0 {
			delete(p.shelves, on)
		}
	}
}
