package portable

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"portico/l7/exchange"
	"portico/l7/loop"
)

// conn serves one client connection. Its workers take turns: each claims a side
// to read from, gives what it read to the machine, and performs the actions that
// follow. Usually there is one; another helps while both sides may speak.
type conn struct {
	d    *Driver
	svc  loop.Service
	l    loop.Listener // once greeted
	raw  *net.TCPConn
	info exchange.Client
	// quiet says that a connection without requests ended as it should.
	quiet bool

	mu      sync.Mutex
	at      time.Time // of events since lock; zero until now is asked
	m       exchange.Machine
	client  *peer
	target  *peer              // nil without one
	spare   *peer              // for the next target
	giveUp  context.CancelFunc // of a dial going on
	timer   *time.Timer
	timerAt time.Time // when timer fires; zero when it does not
	workers int
	woken   atomic.Bool // a wake is on its way
	started bool        // the machine runs
	killed  bool        // before it did
	drained bool        // a drain was asked for before it did
}

func newConn(d *Driver, svc loop.Service, nc *net.TCPConn) *conn {
	return &conn{d: d, svc: svc, raw: nc, client: &peer{side: exchange.ClientSide}}
}

// serve is the connection's goroutine.
func (c *conn) serve() {
	err := c.greet()
	c.lock()
	if err != nil || c.killed {
		c.mu.Unlock()
		c.hangUp()
		c.over()
		return
	}
	c.started, c.workers = true, 1
	c.m.Start(exchange.Options{
		Client: &c.info, Handler: c.l.Handler, Memories: &c.d.memories, Wake: c.wake, Seed: seed(),
	}, c.now())
	if c.d.isLeaving() {
		c.m.Leave()
	}
	if c.drained || c.d.isDraining() {
		c.m.Drain(c.now())
	}
	c.mu.Unlock()
	c.work()
}

// lock takes the lock for a stretch without I/O, in which it is one time.
func (c *conn) lock() {
	c.mu.Lock()
	c.at = time.Time{}
}

// now is the time of this stretch: reading the clock costs as much as an event.
func (c *conn) now() time.Time {
	if c.at.IsZero() {
		c.at = now()
	}
	return c.at
}

// work serves sides until there is none to serve; the last worker of a machine
// that is done cleans up. The worker was counted already.
func (c *conn) work() {
	c.lock()
	var held *peer
	for {
		c.perform(held)
		c.letGo(held)
		if held = c.claim(); held == nil {
			break
		}
		c.help()
		c.feed(held)
	}
	c.workers--
	c.arm() // a request that waits has nobody who reads
	last := c.workers == 0 && c.m.Done()
	c.mu.Unlock()
	if last {
		c.over()
	}
}

// over forgets the connection.
func (c *conn) over() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.client.free(&c.d.buffers)
	if c.l != nil {
		c.l.Closed()
	}
	c.d.remove(c)
}

// claim takes a side the machine would hear of, the target's first.
func (c *conn) claim() *peer {
	for _, p := range [...]*peer{c.target, c.client} {
		if c.wants(p) {
			p.claimed = true
			return p
		}
	}
	return nil
}

// wants reports whether a side is to be read and nobody does.
func (c *conn) wants(p *peer) bool {
	return p != nil && !p.claimed && !p.gone && !p.told && c.m.Reads(p.side)
}

// letGo gives a side up.
func (c *conn) letGo(p *peer) {
	if p == nil {
		return
	}
	p.claimed = false
	if p.gone {
		c.discard(p)
	}
}

// discard lets go of what nobody uses any more.
func (c *conn) discard(p *peer) {
	p.free(&c.d.buffers)
	if p.side == exchange.TargetSide {
		c.spare = p
	}
}

// help starts another worker if the side that was not claimed is to be read too.
func (c *conn) help() {
	if c.wants(c.target) || c.wants(c.client) {
		c.workers++
		go c.work()
	}
}

// feed gives the machine bytes of a claimed side, or the end of it.
func (c *conn) feed(p *peer) {
	if p.r == p.w && p.err == nil {
		c.read(p)
	}
	c.offer(p)
}

// read waits for bytes.
func (c *conn) read(p *peer) {
	room := p.room(&c.d.buffers, p.side == exchange.ClientSide && c.m.Idle())
	c.arm()
	c.mu.Unlock()
	n, err := p.link.Read(room)
	c.lock()
	p.w, p.err = n, err
	p.full = n == len(room)
}

// offer gives the machine what waits in a claimed side's buffer.
func (c *conn) offer(p *peer) {
	if p.gone {
		return
	}
	if p.r < p.w {
		p.r += c.m.Bytes(p.side, p.buf[p.r:p.w], c.now())
	}
	if p.r == p.w && p.err != nil && !p.told && c.m.Reads(p.side) {
		p.told = true
		if isEOF(p.err) {
			c.m.Ended(p.side, c.now())
		} else {
			c.m.Broke(p.side, p.err, c.now())
		}
	}
}

// arm sees to it that the timer fires no later than the machine's deadline. It is
// left alone where it fires too early, so most requests never touch it.
func (c *conn) arm() {
	at := c.m.Deadline()
	if at.IsZero() || !c.timerAt.IsZero() && !at.Before(c.timerAt) {
		return
	}
	c.timerAt = at
	wait := at.Sub(c.now())
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.tick)
		return
	}
	c.timer.Reset(wait)
}

// tick is the timer's goroutine.
func (c *conn) tick() {
	c.lock()
	c.timerAt = time.Time{}
	if c.m.Done() {
		c.mu.Unlock()
		return
	}
	c.workers++
	c.m.Tick(c.now())
	c.arm()
	c.mu.Unlock()
	c.work()
}

// wake has the machine look whether what its request waits for has come. It may be
// called with the lock held, by a handler that is asked something.
func (c *conn) wake() {
	if c.woken.CompareAndSwap(false, true) {
		go c.resume()
	}
}

// resume is the goroutine of a wake.
func (c *conn) resume() {
	c.lock()
	c.woken.Store(false)
	if c.m.Done() {
		c.mu.Unlock()
		return
	}
	c.workers++
	c.m.Resume(c.now())
	c.mu.Unlock()
	c.work()
}

// leave asks the connection to end with its next answer.
func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started {
		c.m.Leave()
	}
}

// drain asks the connection to end.
func (c *conn) drain() {
	c.lock()
	defer c.mu.Unlock()
	if !c.started {
		c.drained = true
		return
	}
	c.m.Drain(c.now())
	c.arm()
}

// kill ends the connection at once.
func (c *conn) kill() {
	c.lock()
	if !c.started {
		c.killed = true
		_ = c.raw.Close()
		c.mu.Unlock()
		return
	}
	if c.m.Done() {
		c.mu.Unlock()
		return
	}
	c.workers++
	c.m.Abort(c.now())
	c.mu.Unlock()
	c.work()
}
