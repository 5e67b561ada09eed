package portable

import (
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"portico/l7/loop"
	"portico/l7/transport"
)

// pool keeps connections to targets between requests: the last one that came
// goes first, so that those not needed grow old and are closed.
type pool struct {
	idle      time.Duration // how long one is kept; negative means none is
	perTarget int
	total     int

	mu      sync.Mutex
	shelves map[shelf][]*link // oldest first
	count   int
	wanted  func(netip.AddrPort) bool // nil means all are
	sweeper *time.Timer               // runs while there are any; nil before the first
	sweeps  bool
	closed  bool
}

// shelf is what the connections on it have in common: any will do for another.
type shelf struct {
	to  netip.AddrPort
	via *transport.Transport
}

// idle is what a pooled connection remembers.
type idle struct {
	since time.Time
	raw   syscall.RawConn
	check func(fd uintptr) bool // made once, so that a check does not allocate
	alive bool
}

func newPool(o loop.Options) *pool {
	return &pool{
		idle: o.PoolIdle, perTarget: o.PoolPerTarget, total: o.PoolTotal,
		shelves: map[shelf][]*link{},
	}
}

// take returns a connection of a shelf that seems alive, or nil.
func (p *pool) take(from shelf, at time.Time) *link {
	for {
		l := p.pop(from)
		if l == nil {
			return nil
		}
		if at.Sub(l.idle.since) < p.idle && l.alive() {
			return l
		}
		_ = l.Close()
	}
}

func (p *pool) pop(from shelf) *link {
	p.mu.Lock()
	defer p.mu.Unlock()
	row := p.shelves[from]
	if len(row) == 0 {
		return nil
	}
	last := len(row) - 1
	l := row[last]
	row[last] = nil
	p.shelves[from] = row[:last] // an empty shelf keeps its room until the next sweep
	p.count--
	return l
}

// put keeps a connection, or closes it where it is one too many.
func (p *pool) put(on shelf, l *link, at time.Time) {
	l.idle.since = at
	if !p.push(on, l) {
		_ = l.Close()
	}
}

func (p *pool) push(on shelf, l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	row := p.shelves[on]
	switch {
	case p.closed, p.idle < 0, len(row) >= p.perTarget, p.count >= p.total:
		return false
	case p.wanted != nil && !p.wanted(on.to):
		return false
	}
	p.shelves[on] = append(row, l)
	p.count++
	p.schedule()
	return true
}

// schedule makes the next sweep happen.
func (p *pool) schedule() {
	if p.sweeps {
		return
	}
	p.sweeps = true
	wait := max(p.idle/2, time.Millisecond)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(wait, p.sweep)
		return
	}
	p.sweeper.Reset(wait)
}

// sweep closes what was idle for too long.
func (p *pool) sweep() {
	at := now()
	p.drop(func(_ shelf, l *link) bool { return at.Sub(l.idle.since) >= p.idle })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweeps = false
	if p.count > 0 && !p.closed {
		p.schedule()
	}
}

// retain closes connections to addresses that are not wanted, now and later.
func (p *pool) retain(wanted func(netip.AddrPort) bool) {
	p.mu.Lock()
	p.wanted = wanted
	p.mu.Unlock()
	p.drop(func(on shelf, _ *link) bool { return !wanted(on.to) })
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	p.mu.Unlock()
	p.drop(func(shelf, *link) bool { return true })
}

// drop closes the connections that bad names.
func (p *pool) drop(bad func(shelf, *link) bool) {
	var closing []*link
	p.mu.Lock()
	for on, row := range p.shelves {
		kept := slices.DeleteFunc(row, func(l *link) bool {
			if bad(on, l) {
				closing = append(closing, l)
				return true
			}
			return false
		})
		p.shelves[on] = kept
		if len(kept) == 0 {
			delete(p.shelves, on)
		}
	}
	p.count -= len(closing)
	p.mu.Unlock()
	for _, l := range closing {
		_ = l.Close()
	}
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// alive reports whether the target neither closed the connection nor sent
// anything while no request was on it.
func (l *link) alive() bool {
	if l.tcp == nil {
		return true // found out when it is used
	}
	if l.idle.raw == nil {
		raw, err := l.tcp.SyscallConn()
		if err != nil {
			return false
		}
		var one [1]byte
		l.idle.raw = raw
		l.idle.check = func(fd uintptr) bool {
			_, err := syscall.Read(int(fd), one[:])
			l.idle.alive = err == syscall.EAGAIN
			return true
		}
	}
	l.idle.alive = false
	err := l.idle.raw.Read(l.idle.check)
	return err == nil && l.idle.alive
}
