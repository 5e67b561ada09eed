package engine

import (
	"crypto/tls"
	"net"

	"golang.org/x/sys/unix"

	"portico/l7/exchange"
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
			c.side(a.Side).link.finish()
		case exchange.Pool:
			c.pool()
		case exchange.Close:
			c.close(&a)
		}
	}
}

// send writes what fits; the rest is kept, and flush tells when it is gone.
func (c *conn) send(a *exchange.Action) {
	l := c.side(a.Side).link
	done, n, err := l.write(a.Segs)
	switch {
	case err != nil:
		c.m.SendFailed(a.Side, int64(n), err, c.w.now)
	case done:
		c.m.Sent(a.Side, c.w.now)
	default:
		l.busy = true
	}
}

// close closes a side. A Send that is under way on it has failed.
func (c *conn) close(a *exchange.Action) {
	d := c.side(a.Side)
	if a.Side == exchange.TargetSide && c.dialing != nil {
		c.forgetDial()
		c.m.ConnectFailed(errKilled, c.w.now)
		return
	}
	if d.link == nil {
		return
	}
	l := d.link
	*d = side{}
	if a.Side == exchange.TargetSide {
		c.w.targets.Add(-1)
	}
	busy := l.busy
	l.close(a.Reset)
	if busy {
		c.m.SendFailed(a.Side, sentSome, errKilled, c.w.now)
	}
}

// pool keeps the target's connection for another request, if the target said
// nothing beyond its answer.
func (c *conn) pool() {
	l := c.target.link
	clean := l.left == 0 && len(l.rest) == 0 && !c.target.told && len(l.pend) == 0
	c.target = side{}
	c.w.targets.Add(-1)
	if !clean || !c.w.pool.put(l) {
		l.close(false)
	}
}

// dial takes a pooled connection, or begins to connect.
func (c *conn) dial(a *exchange.Action) {
	on := shelf{a.To, a.Via}
	if !a.Fresh {
		if l := c.w.pool.take(on); l != nil {
			l.owner = c
			c.connected(l, true)
			return
		}
	}
	fd, err := c.w.d.o.Dialer.Connect(a.To)
	if err != nil {
		c.m.ConnectFailed(err, c.w.now)
		return
	}
	l := &link{w: c.w, fd: fd, owner: c, pooled: &pooled{shelf: on}}
	if l.token, err = c.w.watch(fd, l); err != nil {
		_ = unix.Close(fd)
		c.m.ConnectFailed(err, c.w.now)
		return
	}
	c.dialing = l
}

// dialed is called when the socket that is connecting is ready.
func (c *conn) dialed() {
	l := c.dialing
	if !l.out {
		return
	}
	if err := c.w.d.o.Dialer.Connected(l.fd, l.to); err != nil {
		c.forgetDial()
		c.m.ConnectFailed(err, c.w.now)
		return
	}
	config := l.via.Config(l.to)
	if config == nil {
		c.dialing = nil
		c.connected(l, false)
		return
	}
	l.shake(func(nc net.Conn) *tls.Conn { return tls.Client(nc, config) }, func(err error) { c.greeted(l, err) })
}

// greeted is the end of the handshake with a target.
func (c *conn) greeted(l *link, err error) {
	if err != nil {
		c.forgetDial()
		c.m.ConnectFailed(&transport.HandshakeError{To: l.to, Err: err}, c.w.now)
	} else {
		c.dialing = nil
		c.connected(l, false)
	}
	c.run()
}

func (c *conn) connected(l *link, reused bool) {
	c.target = side{link: l}
	c.w.targets.Add(1)
	c.m.Connected(reused, c.w.now)
}

// forgetDial gives up connecting.
func (c *conn) forgetDial() {
	c.dialing.abandon()
	c.dialing = nil
}
