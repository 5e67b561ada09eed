package engine

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"time"

	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/loop/link"
	"portico/l7/loop/wheel"
	"portico/l7/transport"
)

// trunk is what a loop has of connections of HTTP/2 to one shelf of the pool. Many
// requests share one connection, so those that come while the first one is made
// wait for it.
type trunk struct {
	on      link.Shelf
	muxes   []*mux
	dialer  *conn   // makes a connection that others wait for
	waiters []*conn // for a connection, or for the settings of one
	plain   bool    // the targets were found to speak HTTP/1.1
}

// waitersMax is how many requests wait for a connection that is being made: as many
// streams as a target is taken to allow. One more makes its own.
const waitersMax = 100

var (
	errNoTunnel = errors.New("the target carries no WebSocket over HTTP/2")
	errNoH2     = errors.New("the target does not speak HTTP/2")
)

// trunkOf returns the trunk of a shelf whose targets may speak HTTP/2, or nil.
func (w *worker) trunkOf(on link.Shelf) *trunk {
	switch p := on.Via.Protocol(); {
	case p == transport.HTTP1, p == transport.Auto && on.Via.Config(on.To) == nil:
		return nil
	}
	t := w.trunks[on]
	if t == nil {
		t = &trunk{on: on}
		w.trunks[on] = t
	}
	return t
}

// ride sends a request on a connection that others use, or lets it wait for one
// that is being made. It reports whether it did.
func (t *trunk) ride(c *conn, a *exchange.Action) bool {
	c.extend().upgrade = a.Upgrade != nil
	if a.Fresh || t.plain {
		return false
	}
	for _, x := range t.muxes {
		takes, known := x.c.Connects()
		if x.c.Room() == 0 || a.Upgrade != nil && (!known || !takes) {
			continue
		}
		c.rides(x)
		return true
	}
	if t.dialer == nil || len(t.waiters) >= waitersMax || a.Upgrade != nil {
		return false
	}
	t.wait(c)
	return true
}

// carriesNot reports whether a request needs a connection of HTTP/1.1, because no
// stream to these targets would carry what it switches to.
func (t *trunk) carriesNot(a *exchange.Action) bool {
	if a.Upgrade == nil || len(t.muxes) == 0 || t.on.Via.Protocol() != transport.Auto {
		return false
	}
	takes, known := t.muxes[0].c.Connects()
	return known && !takes
}

// wait lets a request wait for a connection.
func (t *trunk) wait(c *conn) {
	c.extend().waits = t
	t.waiters = append(t.waiters, c)
}

// leave takes a request off those that wait.
func (t *trunk) leave(c *conn) {
	for i, other := range t.waiters {
		if other == c {
			t.waiters = append(t.waiters[:i], t.waiters[i+1:]...)
			break
		}
	}
	c.ext.waits, c.ext.tunnels = nil, nil
}

// rides opens a stream for a request.
func (c *conn) rides(x *mux) {
	s := x.c.Open(c.w.Now)
	if x.c.Streams() == 1 {
		c.w.targets.Add(1)
		if x.used {
			c.w.pool.Add(-1)
		}
	}
	c.joins(exchange.TargetSide, x, s)
	x.touch()
	reused := x.used
	x.used = true
	c.m.ConnectedStream(reused, c.w.Now)
}

// rest counts a connection that has no stream left.
func (x *mux) rest() {
	if x.trunk != nil && x.c.Streams() == 0 {
		x.w.targets.Add(-1)
		x.w.pool.Add(1)
	}
}

// joined is that the connection that c made speaks HTTP/2: it is shared from here on.
func (c *conn) joined(t *trunk, l *link.Link) {
	x := &mux{w: c.w, link: l, side: exchange.TargetSide, trunk: t}
	l.Owner = x
	t.muxes = append(t.muxes, x)
	if t.dialer == c {
		t.dialer = nil
	}
	x.start(h2.Options{Client: true, TLS: l.Encrypted(), Idle: max(c.w.pool.Idle(), wheel.Tick), Ping: cmp.Or(c.w.d.o.PingAfter, pingAfter)})
	if c.ext.upgrade {
		t.wait(c)
		c.ext.tunnels = x // once the target said whether it carries such
	} else {
		c.rides(x)
		c.run() // streams are begun in the order of their numbers
	}
	t.serve(x)
	x.run()
}

// pingAfter is after how much silence a target that has requests is asked whether
// it lives.
const pingAfter = 15 * time.Second

// serve gives streams of a connection to those that wait.
func (t *trunk) serve(x *mux) {
	for i := 0; i < len(t.waiters) && x.c.Room() > 0; {
		c := t.waiters[i]
		takes, known := x.c.Connects()
		switch {
		case c.ext.tunnels == nil:
		case c.ext.tunnels != x || !known:
			i++
			continue
		case !takes:
			t.leave(c)
			c.noTunnel(t)
			continue
		}
		t.leave(c)
		c.rides(x)
		c.run()
	}
}

// noTunnel is that a target carries no tunnel in a stream: it gets a connection of
// HTTP/1.1, if it may speak that.
func (c *conn) noTunnel(t *trunk) {
	if t.on.Via.Protocol() == transport.Auto {
		c.connect(t.on, true)
	} else {
		c.m.ConnectFailed(errNoTunnel, c.w.Now)
	}
	c.run()
}

// failed is that c could not make the connection that others wait for.
func (t *trunk) failed(c *conn, err error) {
	if t.dialer != c {
		return
	}
	t.dialer = nil
	t.each(func(other *conn) {
		other.m.ConnectFailed(err, other.w.Now)
		other.run()
	})
}

// downgraded is that the targets speak HTTP/1.1 after all: each request needs a
// connection of its own.
func (t *trunk) downgraded(c *conn) {
	t.plain = true
	if t.dialer == c {
		t.dialer = nil
	}
	t.each(func(other *conn) {
		other.connect(t.on, false)
		other.run()
	})
}

// each calls f for those that wait for a connection, and wait no more.
func (t *trunk) each(f func(*conn)) {
	for _, c := range slices.Clone(t.waiters) {
		if c.waiting() == t && c.ext.tunnels == nil {
			t.leave(c)
			f(c)
		}
	}
}

// givenUp is that c needs no connection any more: another makes it, in its turn.
func (t *trunk) givenUp(c *conn) {
	if t.dialer == c {
		t.dialer = nil
		c.w.Later(t)
	}
}

// Turn lets the first that waits make the connection.
func (t *trunk) Turn() {
	for _, c := range t.waiters {
		if t.dialer == nil && c.ext.tunnels == nil {
			t.leave(c)
			t.dialer = c
			c.connect(t.on, false)
			if c.dialing == nil { // it failed at once
				t.givenUp(c)
			}
			c.run()
			return
		}
	}
}

// leaveTrunk takes a connection off those that are shared.
func (x *mux) leaveTrunk() {
	t := x.trunk
	if t == nil {
		return
	}
	for i, other := range t.muxes {
		if other == x {
			t.muxes = append(t.muxes[:i], t.muxes[i+1:]...)
			break
		}
	}
	if x.c.Streams() == 0 && x.used {
		x.w.pool.Add(-1)
	} else if x.c.Streams() > 0 {
		x.w.targets.Add(-1)
	}
	x.trunk = nil
	for _, c := range slices.Clone(t.waiters) {
		if c.ext.tunnels == x {
			t.leave(c)
			c.m.ConnectFailed(errStream, c.w.Now)
			c.run()
		}
	}
}

// plainConfig is how a target is greeted by a connection that must not be shared.
func plainConfig(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	return config
}

// retainTrunks ends connections to addresses that are not wanted, once their
// requests are answered.
func (w *worker) retainTrunks(wanted func(netip.AddrPort) bool) {
	for on, t := range w.trunks {
		if wanted(on.To) {
			continue
		}
		for _, x := range slices.Clone(t.muxes) {
			x.c.Drain(w.Now)
			x.touch()
		}
		if len(t.muxes) == 0 && t.dialer == nil && len(t.waiters) == 0 {
			delete(w.trunks, on)
		}
	}
}

// closeTrunks closes all connections to targets that are shared.
func (w *worker) closeTrunks() {
	for _, t := range w.trunks {
		for _, x := range slices.Clone(t.muxes) {
			x.kill()
		}
	}
}
