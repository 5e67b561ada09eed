package engine

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/l7/loop"
	"portico/l7/loop/link"
	"portico/l7/loop/wheel"
	"portico/l7/message"
)

// acceptsMax is how many connections a loop takes from one socket before others
// have their turn.
const acceptsMax = 64

// The pauses after an error of accept, such as a full file table, grow from the
// first to the last of these; clients wait in the kernel's queue meanwhile.
const (
	pauseMin = 5 * time.Millisecond
	pauseMax = time.Second
)

// acceptor is a listening socket of one loop.
type acceptor struct {
	w     *worker
	fd    int
	addr  netip.AddrPort
	svc   loop.Service
	token loop.Token
	dead  bool

	timer  wheel.Timer   // runs during a pause
	pause  time.Duration // the last one; 0 while all is well
	failed time.Time     // when the trouble began
}

// begin starts accepting.
func (a *acceptor) begin(svc loop.Service) {
	a.svc, a.timer.Who = svc, a
	var err error
	if a.token, err = a.w.Watch(a.fd, true, a); err != nil {
		a.w.d.o.Log.Error("listener is not served", "address", a.addr, "error", err)
	}
}

// close stops accepting. Connections that wait in the kernel are reset.
func (a *acceptor) close() {
	if a.dead {
		return
	}
	a.dead = true
	a.w.Wheel.Stop(&a.timer)
	a.w.Unwatch(a.fd, a.token)
	_ = unix.Close(a.fd)
}

// Event is that a client connected.
func (a *acceptor) Event(loop.Ready) {
	if !a.timer.Started() {
		a.more()
	}
}

// Expired ends a pause.
func (a *acceptor) Expired() { a.more() }

// more accepts connections.
func (a *acceptor) more() {
	for range acceptsMax {
		if a.dead {
			return
		}
		fd, peer, errno := netx.AcceptFD(a.fd)
		switch errno {
		case 0:
			a.well()
			a.take(fd, peer)
		case unix.EAGAIN:
			a.well()
			return
		case unix.EINTR, unix.ECONNABORTED:
		default:
			a.trouble(errno)
			return
		}
	}
	a.w.Post(a.more)
}

// trouble pauses, longer each time.
func (a *acceptor) trouble(err error) {
	if a.pause == 0 {
		a.failed = a.w.Now
		a.w.d.o.Log.Warn("accepting paused", "address", a.addr, "error", err)
	}
	a.pause = min(max(2*a.pause, pauseMin), pauseMax)
	a.w.Wheel.Start(&a.timer, a.w.Now.Add(a.pause))
}

// well ends a time of trouble.
func (a *acceptor) well() {
	if a.pause > 0 {
		a.w.d.o.Log.Info("accepting again", "address", a.addr, "after", a.w.Now.Sub(a.failed))
		a.pause = 0
	}
}

// take hands a new connection to a loop: this one, unless it has clearly more
// than the one with the fewest.
func (a *acceptor) take(fd int, peer netip.AddrPort) {
	to, d := a.w, a.w.d
	for _, other := range d.workers {
		if n := other.clients.Load(); n+n/8+slackMin < to.clients.Load() {
			to = other
		}
	}
	if to.clients.Load() >= int64(d.connsMax) {
		a.svc.Refused(peer, loop.TooMany, errRefused)
		netx.ResetFD(fd)
		return
	}
	at := a.addr
	if at.Addr().IsUnspecified() {
		at = netx.LocalFD(fd)
	}
	to.clients.Add(1)
	d.clients.Add(1)
	c := &conn{w: to, svc: a.svc, info: message.Client{Peer: peer, Local: at}}
	c.timer.Who = c
	if to == a.w {
		c.accepted(fd)
		return
	}
	to.Post(func() { c.accepted(fd) })
}

// slackMin is by how many connections loops may differ before new ones are handed
// over, besides an eighth.
const slackMin = 8

// accepted begins a connection on its loop.
func (c *conn) accepted(fd int) {
	w := c.w
	w.add(c)
	l := link.New(&w.links, fd, c, true, nil)
	c.client.link = l
	if err := l.Watch(true); err != nil || w.closing {
		if err != nil {
			w.d.o.Log.Warn("connection dropped", "error", err)
		}
		c.hangUp()
		return
	}
	c.open()
}

// socket is one listening address.
type socket struct {
	d    *Driver
	addr netip.AddrPort
	on   []*acceptor
}

// Addr is where it listens.
func (s *socket) Addr() netip.AddrPort { return s.addr }

// Serve starts accepting.
func (s *socket) Serve(svc loop.Service) {
	s.d.start()
	s.d.each(func(w *worker) {
		for _, a := range s.on {
			if a.w == w && !a.dead {
				a.begin(svc)
			}
		}
	})
}

// Tune sets other options.
func (s *socket) Tune(o netx.Options) error {
	failed := make(chan error, len(s.on))
	s.d.each(func(w *worker) {
		for _, a := range s.on {
			if a.w == w && !a.dead {
				failed <- netx.TuneFD(a.fd, s.addr, o)
			}
		}
	})
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// Close stops accepting.
func (s *socket) Close() {
	s.d.each(s.close)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	delete(s.d.sockets, s)
}

// close closes what a loop has of it.
func (s *socket) close(w *worker) {
	for _, a := range s.on {
		if a.w == w {
			a.close()
		}
	}
}
