// Package pool keeps a loop's connections to targets between requests.
//
// What comes in: links whose request is over. What goes out: the same, for the next
// request to the same target. It makes no connection itself, and knows nothing of
// requests.
//
// Start reading at Pool.
package pool

import (
	"net/netip"
	"sync/atomic"
	"time"

	"portico/l7/loop/link"
	"portico/l7/loop/reactor"
	"portico/l7/loop/wheel"
)

// Pool keeps a loop's connections to targets between requests: the last one that
// came goes first, so that those not needed grow old and are closed. They are
// watched all the while: one that says something, or ends, is closed at once.
type Pool struct {
	l         *reactor.Loop
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

// Init prepares the pool of a loop, whose links are kept for so long, so many for a
// target and in all.
func (p *Pool) Init(l *reactor.Loop, idle time.Duration, perTarget, total int) {
	p.l, p.idle, p.perTarget, p.total = l, idle, perTarget, total
	p.shelves = map[link.Shelf]*row{}
	p.sweep.Who = p
}

// Idle is how long a link is kept; negative means none is.
func (p *Pool) Idle() time.Duration { return p.idle }

// Count is how many links are idle, for any goroutine.
func (p *Pool) Count() int64 { return p.count.Load() }

// Add counts links that are idle elsewhere, or those no more.
func (p *Pool) Add(n int64) { p.count.Add(n) }

// Take returns a connection of a shelf, or nil.
func (p *Pool) Take(from link.Shelf) *link.Link {
	s := p.shelves[from]
	if s == nil || len(s.links) == 0 {
		return nil
	}
	l := s.links[len(s.links)-1]
	if p.l.Now.Sub(l.Since) >= p.idle {
		return nil // and so are all others here; the sweep closes them
	}
	s.cut(len(s.links) - 1)
	p.count.Add(-1)
	return l
}

// Put keeps a connection, and reports whether it did.
func (p *Pool) Put(l *link.Link) bool {
	switch {
	case p.idle < 0, p.l.Stopped(), p.count.Load() >= int64(p.total), p.wanted != nil && !p.wanted(l.To):
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
	l.Owner, l.Since = p, p.l.Now
	s.links = append(s.links, l)
	p.count.Add(1)
	if !p.sweep.Started() {
		p.l.Wheel.Start(&p.sweep, p.l.Now.Add(max(p.idle/2, wheel.Tick)))
	}
	return true
}

// Ready is called when a connection that has no request may be read: whatever it
// says, but what TLS says to itself, it is over.
func (p *Pool) Ready(l *link.Link) {
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
func (p *Pool) Expired() {
	p.Drop(func(l *link.Link) bool { return p.l.Now.Sub(l.Since) >= p.idle })
	if p.count.Load() > 0 {
		p.l.Wheel.Start(&p.sweep, p.l.Now.Add(max(p.idle/2, wheel.Tick)))
	}
}

// Retain closes connections to addresses that are not wanted, now and later.
func (p *Pool) Retain(wanted func(netip.AddrPort) bool) {
	p.wanted = wanted
	p.Drop(func(l *link.Link) bool { return !wanted(l.To) })
}

// Drop closes the connections that bad names.
func (p *Pool) Drop(bad func(*link.Link) bool) {
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
