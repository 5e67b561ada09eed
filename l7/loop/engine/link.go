package engine

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"portico/l7/loop"
	"portico/l7/loop/sys"
)

// errAgain says that a read or write would have to wait.
var errAgain error = wouldBlock{}

// wouldBlock is a net.Error that crypto/tls takes for no fault of the connection.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "would block" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// link is one socket of a loop, with what of its bytes is on the way.
type link struct {
	w     *worker
	fd    int
	token loop.Token
	owner owner // who is told that it is ready

	in     bool // reading may yield something
	out    bool // writing may take something
	ended  bool // the peer has sent all it will, or may have
	slow   bool // the peer takes less than it is sent: read less ahead of it
	busy   bool // the owner waits to hear that what it sent is gone
	shut   bool // end the sending direction when all is sent
	dead   bool // closed
	orphan bool // to be closed when its handshake ended

	tls  *secure // nil in plain text
	pend []byte  // to be sent, from a Send that did not fit
	sent int     // how much of pend was
	rest []byte  // read and not taken by the owner
	left int     // of the bytes on offer, how many were not taken

	*pooled // of a connection to a target; nil for a client's
}

// backlog is what a link has in the kernel while not all that it was given fits there.
type backlog struct {
	took   time.Time // when the peer was last seen to take some
	queued int       // how much there was then
}

// owner is what a link belongs to.
type owner interface {
	// ready is called when the link can be read or written.
	ready(l *link)
}

// readMax is what is read at once, and slowRead what is read for a peer that
// takes its bytes slowly, so that it holds no more than that.
const (
	readMax  = 128 << 10
	slowRead = 16 << 10
)

// read reads what there is, up to the size of buf. It returns errAgain when there
// is nothing yet, io.EOF at the end.
func (l *link) read(buf []byte) (int, error) {
	if l.tls != nil {
		return l.tls.read(buf)
	}
	return l.receive(buf)
}

// receive reads from the socket.
func (l *link) receive(buf []byte) (int, error) {
	for l.in {
		n, errno := sys.Recv(l.fd, buf)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			l.in = false
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			// A short read emptied the socket: what comes after it is told anew.
			l.in = n == len(buf) || l.ended
			return n, nil
		}
	}
	return 0, errAgain
}

// write sends segments, and keeps a copy of what does not fit. It reports whether
// all was sent; if not, flush goes on. On an error, n is how much was sent.
func (l *link) write(segs [][]byte) (done bool, n int, err error) {
	if l.tls != nil {
		return l.tls.write(segs)
	}
	return l.transmit(segs)
}

// transmit writes to the socket.
func (l *link) transmit(segs [][]byte) (done bool, total int, err error) {
	if len(l.pend) > 0 {
		l.keep(segs)
		return false, 0, nil
	}
	for len(segs) > 0 && l.out {
		size, some := 0, segs[:min(len(segs), sys.VectorMax)]
		for _, seg := range some {
			size += len(seg)
		}
		n, errno := l.sendSome(some)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			l.out, n = false, 0
		case errno != 0:
			return false, total, errno
		case n < size:
			l.out = false // told anew when there is room
		}
		total += n
		segs = after(segs, n)
	}
	if len(segs) == 0 {
		l.slow = false
		return true, total, nil
	}
	l.slow = true
	l.w.backlogs[l] = backlog{l.w.Now, sys.Unsent(l.fd)}
	l.keep(segs)
	return false, total, nil
}

func (l *link) sendSome(segs [][]byte) (int, unix.Errno) {
	if len(segs) == 1 {
		return sys.Send(l.fd, segs[0])
	}
	return l.w.vector.Send(l.fd, segs)
}

// after drops the first n bytes of segs, in place.
func after(segs [][]byte, n int) [][]byte {
	for len(segs) > 0 && n >= len(segs[0]) {
		n -= len(segs[0])
		segs = segs[1:]
	}
	if n > 0 {
		segs[0] = segs[0][n:]
	}
	return segs
}

// keep copies what could not be sent.
func (l *link) keep(segs [][]byte) {
	if l.pend == nil {
		l.pend = l.w.spare()
	}
	for _, seg := range segs {
		l.pend = append(l.pend, seg...)
	}
}

// flush sends what was kept, and reports whether that is all sent now.
func (l *link) flush() (done bool, err error) {
	for l.out && l.sent < len(l.pend) {
		n, errno := sys.Send(l.fd, l.pend[l.sent:])
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			l.out = false
		case errno != 0:
			return false, errno
		default:
			l.out = n == len(l.pend)-l.sent
			l.sent += n
		}
	}
	if l.sent < len(l.pend) {
		l.w.backlogs[l] = backlog{l.w.Now, sys.Unsent(l.fd)}
		return false, nil
	}
	l.unkeep()
	if l.shut {
		l.shut = false
		l.finish()
	}
	return true, nil
}

// progress is when the peer was last seen to take some of what is kept. The kernel
// takes more only once much of its buffer is free, which a slow peer may need
// minutes for, so it is asked whether that became less.
func (l *link) progress() time.Time {
	b := l.w.backlogs[l]
	if now := sys.Unsent(l.fd); now < b.queued {
		b = backlog{l.w.Now, now}
		l.w.backlogs[l] = b
	}
	return b.took
}

// unkeep lets go of what was kept.
func (l *link) unkeep() {
	if l.pend != nil {
		l.w.unspare(l.pend)
		l.pend = nil
		delete(l.w.backlogs, l)
	}
	l.sent = 0
}

// finish ends the sending direction, after what is still to be sent.
func (l *link) finish() {
	if l.tls != nil {
		l.tls.goodbye()
	}
	if len(l.pend) > 0 {
		l.shut = true
		return
	}
	_ = unix.Shutdown(l.fd, unix.SHUT_WR) // a connection that is gone tells so when it is read
}

// put keeps what was read and not taken. It may be a part of what was kept before.
func (l *link) put(p []byte) {
	if len(p) == 0 {
		if l.rest != nil {
			l.w.unspare(l.rest)
			l.rest = nil
		}
		return
	}
	if l.rest == nil {
		l.rest = l.w.spare()
	}
	l.rest = append(l.rest[:0], p...)
}

// close closes the socket; with hard the peer must not take what it got for the whole.
func (l *link) close(hard bool) {
	if l.dead {
		return
	}
	l.dead = true
	l.w.Unwatch(l.fd, l.token)
	switch {
	case hard:
		sys.Reset(l.fd)
	default:
		if l.tls != nil && !l.tls.shaking {
			l.tls.goodbye()
		}
		_ = unix.Close(l.fd)
	}
	l.unkeep()
	l.put(nil)
}

// isEOF reports whether reading ended as it should.
func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// Event notes how the socket became ready, and tells whom it concerns.
func (l *link) Event(r loop.Ready) {
	if l.dead {
		return
	}
	l.in = l.in || r&(loop.In|loop.Ended) != 0
	l.out = l.out || r&loop.Out != 0
	l.ended = l.ended || r&loop.Ended != 0
	if l.tls != nil && l.tls.shaking {
		l.tls.listen()
		return
	}
	l.owner.ready(l)
}

// look asks the kernel how the socket is ready, before its time is over. A poller
// tells when it can: what came in time may wait behind others, or for a goroutine that
// a busy machine did not let run.
func (l *link) look() {
	if r := sys.Readiness(l.fd); r != 0 {
		l.Event(r)
	}
}
