package portable

import (
	"context"

	"portico/internal/netx"
	"portico/l7/exchange"
)

// helpSize is from where a write may have to wait for the target to read, which
// may first want to be heard itself.
const helpSize = 16 << 10

// perform does what the machine asks for. The lock is held but during I/O. The
// side held is the worker's own: what waits in it is offered before more is sent.
func (c *conn) perform(held *peer) {
	var a exchange.Action
	for {
		if held != nil && held.r < held.w && c.m.Reads(held.side) {
			c.offer(held)
		}
		if !c.m.Next(&a) {
			return
		}
		switch a.Kind {
		case exchange.Dial:
			c.dial(&a)
		case exchange.Send:
			c.send(&a)
		case exchange.Shut:
			c.shut(a.Side)
		case exchange.Pool:
			c.keep()
		case exchange.Close:
			c.close(&a)
		}
	}
}

func (c *conn) peer(s exchange.Side) *peer {
	if s == exchange.ClientSide {
		return c.client
	}
	return c.target
}

// dial takes a pooled connection, or waits for a new one.
func (c *conn) dial(a *exchange.Action) {
	if !a.Fresh {
		if l := c.d.pool.take(shelf{a.To, a.Via}, c.now()); l != nil {
			c.connected(a, l, true)
			return
		}
	}
	ctx, cancel := context.WithCancel(c.d.ctx)
	defer cancel()
	c.giveUp = cancel
	c.arm()
	c.mu.Unlock()
	nc, err := c.d.o.Dial(ctx, a.To)
	if err == nil {
		nc, err = a.Via.Handshake(ctx, nc, a.To)
	}
	c.lock()
	c.giveUp = nil
	if err != nil {
		c.m.ConnectFailed(err, c.now())
		return
	}
	c.connected(a, newLink(nc), false)
}

func (c *conn) connected(a *exchange.Action, l *link, reused bool) {
	c.d.targets.Add(1)
	if c.spare == nil {
		c.spare = new(peer)
	}
	c.target, c.spare = c.spare, nil
	*c.target = peer{side: exchange.TargetSide, link: l, from: shelf{a.To, a.Via}}
	c.m.Connected(reused, c.now())
}

// send writes, and lets another worker listen to a target meanwhile.
func (c *conn) send(a *exchange.Action) {
	p, segs := c.peer(a.Side), a.Segs
	if a.Side == exchange.TargetSide && size(segs) >= helpSize {
		c.help()
	}
	c.arm()
	c.mu.Unlock()
	n, err := p.link.write(segs, &c.d.buffers)
	c.lock()
	if err != nil {
		c.m.SendFailed(a.Side, n, err, c.now())
		return
	}
	c.m.Sent(a.Side, c.now())
}

func size(segs [][]byte) int {
	n := 0
	for _, s := range segs {
		n += len(s)
	}
	return n
}

func (c *conn) shut(s exchange.Side) {
	p := c.peer(s)
	c.mu.Unlock()
	p.link.shut()
	c.lock()
}

// keep pools the target's connection.
func (c *conn) keep() {
	clean := c.target.r == c.target.w && c.target.err == nil
	p := c.part()
	if !clean {
		_ = p.link.Close() // it said more than its answer, or ended
		return
	}
	c.d.pool.put(p.from, p.link, c.now())
}

// part takes the target's side off the connection.
func (c *conn) part() *peer {
	p := c.target
	c.target = nil
	c.d.targets.Add(-1)
	p.gone = true
	if !p.claimed {
		c.discard(p)
	}
	return p
}

func (c *conn) close(a *exchange.Action) {
	if a.Side == exchange.TargetSide {
		if c.giveUp != nil {
			c.giveUp()
		}
		if c.target != nil {
			_ = c.part().link.Close()
		}
		return
	}
	c.client.gone = true
	c.mu.Unlock()
	if a.Reset {
		netx.Reset(c.client.link.Conn)
	} else {
		_ = c.client.link.Close()
	}
	c.lock()
}
