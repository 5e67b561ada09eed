package engine

import (
	"crypto/tls"
	"net"

	"golang.org/x/sys/unix"

	"portico/l7/exchange"
	"portico/l7/loop/link"
	"portico/l7/transport"
)

// perform does what the machine asks for.
func (c *conn) perform() {
	var a exchange.Action
	for c.m.Next(&a) {
		switch a.Kind {
		case exchange.Dial:
			c.dial(&a)
		case exchange.Send:
			c.send(&a)
		case exchange.Shut:
			c.shut(a.Side)
		case exchange.Pool:
			c.pool()
		case exchange.Close:
			c.close(&a)
		}
	}
}

// shut ends the sending direction of a side.
func (c *conn) shut(s exchange.Side) {
	f := c.flow(s)
	if f == nil {
		c.side(s).link.Finish()
		return
	}
	f.mux.c.Shut(f.stream)
	f.mux.touch()
}

// send writes what fits; the rest is kept, and flush tells when it is gone.
func (c *conn) send(a *exchange.Action) {
	if f := c.flow(a.Side); f != nil {
		c.sendStream(f, a)
		return
	}
	l := c.side(a.Side).link
	done, n, err := l.Write(a.Segs)
	switch {
	case err != nil:
		c.m.SendFailed(a.Side, int64(n), err, c.w.Now)
	case done:
		c.m.Sent(a.Side, c.w.Now)
	default:
		l.Busy = true
	}
}

// close closes a side. A Send that is under way on it has failed.
func (c *conn) close(a *exchange.Action) {
	d := c.side(a.Side)
	switch {
	case a.Side == exchange.TargetSide && c.waiting() != nil:
		c.waiting().leave(c)
		c.m.ConnectFailed(link.ErrKilled, c.w.Now)
		return
	case a.Side == exchange.TargetSide && c.dialing != nil:
		c.forgetDial()
		c.m.ConnectFailed(link.ErrKilled, c.w.Now)
		return
	case c.flow(a.Side) != nil:
		c.closeStream(a.Side, a.Reset || a.Side == exchange.TargetSide)
		return
	case d.link == nil:
		return
	}
	l := d.link
	*d = side{}
	if a.Side == exchange.TargetSide {
		c.w.targets.Add(-1)
	}
	busy := l.Busy
	l.Close(a.Reset)
	if busy {
		c.m.SendFailed(a.Side, sentSome, link.ErrKilled, c.w.Now)
	}
}

// pool keeps the target's connection for another request, if the target said
// nothing beyond its answer.
func (c *conn) pool() {
	if c.flow(exchange.TargetSide) != nil {
		c.closeStream(exchange.TargetSide, false)
		return
	}
	l := c.target.link
	clean := l.Left == 0 && len(l.Rest) == 0 && !c.target.told && !l.Pending()
	c.target = side{}
	c.w.targets.Add(-1)
	if !clean || !c.w.pool.Put(l) {
		l.Close(false)
	}
}

// dial takes a pooled connection, or begins to connect.
func (c *conn) dial(a *exchange.Action) {
	on := link.Shelf{To: a.To, Via: a.Via}
	t := c.w.trunkOf(on)
	if t != nil && t.ride(c, a) {
		return
	}
	if !a.Fresh {
		if l := c.w.pool.Take(on); l != nil {
			l.Owner = c
			c.connected(l, true)
			return
		}
	}
	c.connect(on, t != nil && t.carriesNot(a))
	if t != nil && t.dialer == nil && c.dialing != nil && !c.dialing.Alone {
		t.dialer = c
	}
}

// connect begins to connect; alone, by HTTP/1.1.
func (c *conn) connect(on link.Shelf, alone bool) {
	fd, err := c.w.d.o.Dialer.Connect(on.To, on.Via.Socket())
	if err != nil {
		c.m.ConnectFailed(err, c.w.Now)
		return
	}
	l := link.New(&c.w.links, fd, c, false, &link.Target{Shelf: on, Alone: alone})
	if err := l.Watch(false); err != nil {
		_ = unix.Close(fd)
		c.m.ConnectFailed(err, c.w.Now)
		return
	}
	c.dialing = l
}

// dialed is called when the socket that is connecting is ready.
func (c *conn) dialed() {
	l := c.dialing
	if !l.Out {
		return
	}
	if err := c.w.d.o.Dialer.Connected(l.FD, l.To); err != nil {
		c.notDialed(l, err)
		return
	}
	config := l.Via.Config(l.To)
	if config == nil {
		c.speaks(l, l.Via.Protocol() == transport.HTTP2)
		return
	}
	if l.Alone {
		config = plainConfig(config)
	}
	l.Shake(func(nc net.Conn) *tls.Conn { return tls.Client(nc, config) }, func(err error) { c.greeted(l, err) })
}

// greeted is the end of the handshake with a target.
func (c *conn) greeted(l *link.Link, err error) {
	h2 := err == nil && l.State().NegotiatedProtocol == "h2"
	switch {
	case err == nil && !h2 && l.Via.Protocol() == transport.HTTP2:
		c.notDialed(l, errNoH2)
	case err != nil:
		c.notDialed(l, &transport.HandshakeError{To: l.To, Err: err})
	default:
		c.speaks(l, h2)
	}
	c.run()
}

// notDialed is that there will be no connection, for others that wait for it neither.
func (c *conn) notDialed(l *link.Link, err error) {
	t := c.w.trunkOf(l.Shelf)
	if t != nil {
		t.failed(c, err)
	}
	c.forgetDial()
	c.m.ConnectFailed(err, c.w.Now)
}

// speaks is that a connection was made, and of which protocol.
func (c *conn) speaks(l *link.Link, h2 bool) {
	c.dialing = nil
	t := c.w.trunkOf(l.Shelf)
	switch {
	case h2:
		c.joined(t, l)
		return
	case t != nil && !l.Alone:
		t.downgraded(c)
	}
	c.connected(l, false)
}

func (c *conn) connected(l *link.Link, reused bool) {
	c.target = side{link: l}
	c.w.targets.Add(1)
	c.m.Connected(reused, c.w.Now)
}

// forgetDial gives up connecting.
func (c *conn) forgetDial() {
	if t := c.w.trunks[c.dialing.Shelf]; t != nil {
		t.givenUp(c)
	}
	c.dialing.Abandon()
	c.dialing = nil
}
