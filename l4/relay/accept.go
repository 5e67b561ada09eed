package relay

import (
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/poll"
)

// acceptor is the listening socket of one loop.
type acceptor struct {
	bind  *bind
	loop  *loop
	fd    int
	token poll.Token
	dead  bool

	pause  time.Duration // the last one after an error; 0 while all is well
	failed time.Time     // when the trouble began
}

// acceptsMax is how many connections a loop takes from one socket before others
// have their turn.
const acceptsMax = 64

// The pauses after an error of accept, such as a full file table, grow from the
// first to the last of these; clients wait in the kernel's queue meanwhile.
const (
	pauseMin = 5 * time.Millisecond
	pauseMax = time.Second
)

// begin starts accepting.
func (a *acceptor) begin() {
	if a.dead || a.token != 0 {
		return
	}
	var err error
	if a.token, err = a.loop.watch(a.fd, a); err != nil {
		a.bind.relay.o.Log.Error("listener is not served", "address", a.bind.address, "error", err)
	}
}

// close stops accepting. Connections that wait in the kernel are reset.
func (a *acceptor) close() {
	if a.dead {
		return
	}
	a.dead = true
	a.loop.wait(a, time.Time{})
	a.loop.unwatch(a.fd, a.token)
	netx.CloseFD(a.fd)
}

// event is that a client connected.
func (a *acceptor) event(poll.Ready) {
	if _, paused := a.loop.waits[a]; !paused {
		a.more()
	}
}

// expired ends a pause.
func (a *acceptor) expired() { a.more() }

// more accepts connections.
func (a *acceptor) more() {
	for range acceptsMax {
		if a.dead {
			return
		}
		fd, client, errno := netx.AcceptFD(a.fd)
		switch errno {
		case 0:
			a.well()
			a.bind.take(a.loop, fd, client)
		case unix.EAGAIN:
			a.well()
			return
		case unix.EINTR, unix.ECONNABORTED:
		default:
			a.trouble(errno)
			return
		}
	}
	a.loop.post(a.more)
}

// trouble pauses, longer each time.
func (a *acceptor) trouble(err error) {
	if a.pause == 0 {
		a.failed = a.loop.now
		a.bind.relay.o.Log.Warn("accepting paused", "address", a.bind.address, "error", err)
	}
	a.pause = min(max(2*a.pause, pauseMin), pauseMax)
	a.loop.wait(a, a.loop.now.Add(a.pause))
}

// well ends a time of trouble.
func (a *acceptor) well() {
	if a.pause > 0 {
		a.bind.relay.o.Log.Info("accepting again", "address", a.bind.address, "after", a.loop.now.Sub(a.failed))
		a.pause = 0
	}
}
