// Package link is one socket of an event loop, whose bytes may be TLS.
//
// What comes in: readiness from its reactor, segments that its owner would send. What
// goes out: what was read, and calls of the owner when more can be. What does not fit
// into the socket is copied and sent later, so that the owner's memory is free again.
// It never waits, and does not look into what it carries.
//
// Start reading at Link, then secure.
package link

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/internal/poll"
	"portico/l7/loop/sys"
)

// ErrAgain says that a read or write would have to wait.
var ErrAgain error = wouldBlock{}

// wouldBlock is a net.Error that crypto/tls takes for no fault of the connection.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "would block" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// Link is one socket of a loop, with what of its bytes is on the way.
type Link struct {
	s     *Shared
	token poll.Token

	FD    int
	Owner Owner // who is told that it is ready

	In    bool // reading may yield something
	Out   bool // writing may take something
	Ended bool // the peer has sent all it will, or may have
	Slow  bool // the peer takes less than it is sent: read less ahead of it
	Busy  bool // for the owner: it waits to hear that what it sent is gone
	Dead  bool // closed

	shut   bool // end the sending direction when all is sent
	orphan bool // to be closed when its handshake ended

	tls  *secure // nil in plain text
	pend []byte  // to be sent, from a Write that did not fit
	sent int     // how much of pend was
	Rest []byte  // read and not taken by the owner
	Left int     // for the owner: of the bytes on offer, how many were not taken

	pendHeld, restHeld int // of pend and Rest, what Shared.Held knows

	*Target // of a connection to one; nil for a client's
}

// New is the link of a socket that is not watched yet; out says that it can be written,
// t is nil for a client's.
func New(s *Shared, fd int, owner Owner, out bool, t *Target) *Link {
	return &Link{s: s, FD: fd, Owner: owner, Out: out, Target: t}
}

// Watch begins to tell the owner, of new work or of what goes on with some.
func (l *Link) Watch(brings bool) (err error) {
	l.token, err = l.s.loop.Watch(l.FD, brings, l)
	return err
}

// backlog is what a link has in the kernel while not all that it was given fits there.
type backlog struct {
	took   time.Time // when the peer was last seen to take some
	queued int       // how much there was then
}

// Owner is what a link belongs to.
type Owner interface {
	// Ready is called when the link can be read or written.
	Ready(l *Link)
}

// ReadMax is what is read at once, and SlowRead what is read for a peer that
// takes its bytes slowly, so that it holds no more than that.
const (
	ReadMax  = 128 << 10
	SlowRead = 16 << 10
)

// LeastRead is what is read when there is hardly memory left.
const LeastRead = 4 << 10

// Read reads what there is, up to the size of buf. It returns ErrAgain when there
// is nothing yet, io.EOF at the end.
func (l *Link) Read(buf []byte) (int, error) {
	if l.tls != nil {
		return l.tls.read(buf)
	}
	return l.receive(buf)
}

// receive reads from the socket.
func (l *Link) receive(buf []byte) (int, error) {
	for l.In {
		n, errno := netx.RecvFD(l.FD, buf)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			l.In = false
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		default:
			// A short read emptied the socket: what comes after it is told anew.
			l.In = n == len(buf) || l.Ended
			return n, nil
		}
	}
	return 0, ErrAgain
}

// Quiet reports whether a link that may be read has nothing to say but what TLS says to
// itself. Otherwise it is of no use any more: what it said is lost.
func (l *Link) Quiet() bool {
	_, err := l.Read(l.s.plain[:plainSize]) // the owners' buffer may hold bytes of a client
	return errors.Is(err, ErrAgain)
}

// Write sends segments, and keeps a copy of what does not fit. It reports whether
// all was sent; if not, Flush goes on. On an error, n is how much was sent.
func (l *Link) Write(segs [][]byte) (done bool, n int, err error) {
	if l.tls != nil {
		return l.tls.write(segs)
	}
	return l.transmit(segs)
}

// WriteOne is Write for one segment.
func (l *Link) WriteOne(p []byte) (done bool, n int, err error) {
	l.s.one[0] = p
	done, n, err = l.Write(l.s.one[:])
	l.s.one[0] = nil
	return done, n, err
}

// Pending reports whether some of what was written waits for Flush.
func (l *Link) Pending() bool { return len(l.pend) > 0 }

// transmit writes to the socket.
func (l *Link) transmit(segs [][]byte) (done bool, total int, err error) {
	if len(l.pend) > 0 {
		l.keep(segs)
		return false, 0, nil
	}
	for len(segs) > 0 && l.Out {
		size, some := 0, segs[:min(len(segs), sys.VectorMax)]
		for _, seg := range some {
			size += len(seg)
		}
		n, errno := l.sendSome(some)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			l.Out, n = false, 0
		case errno != 0:
			return false, total, errno
		case n < size:
			l.Out = false // told anew when there is room
		}
		total += n
		segs = after(segs, n)
	}
	if len(segs) == 0 {
		l.Slow = false
		return true, total, nil
	}
	l.Slow = true
	l.s.backlogs[l] = backlog{l.s.loop.Now, sys.Unsent(l.FD)}
	l.keep(segs)
	return false, total, nil
}

func (l *Link) sendSome(segs [][]byte) (int, unix.Errno) {
	if len(segs) == 1 {
		return netx.SendFD(l.FD, segs[0])
	}
	return l.s.vector.Send(l.FD, segs)
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
func (l *Link) keep(segs [][]byte) {
	if l.pend == nil {
		l.pend = l.s.spare()
	}
	for _, seg := range segs {
		l.pend = append(l.pend, seg...)
	}
	l.s.count(&l.pendHeld, l.pend)
}

// Flush sends what was kept, and reports whether that is all sent now.
func (l *Link) Flush() (done bool, err error) {
	for l.Out && l.sent < len(l.pend) {
		n, errno := netx.SendFD(l.FD, l.pend[l.sent:])
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			l.Out = false
		case errno != 0:
			return false, errno
		default:
			l.Out = n == len(l.pend)-l.sent
			l.sent += n
		}
	}
	if l.sent < len(l.pend) {
		l.s.backlogs[l] = backlog{l.s.loop.Now, sys.Unsent(l.FD)}
		return false, nil
	}
	l.unkeep()
	if l.shut {
		l.shut = false
		l.Finish()
	}
	return true, nil
}

// Progress is when the peer was last seen to take some of what is kept. The kernel
// takes more only once much of its buffer is free, which a slow peer may need
// minutes for, so it is asked whether that became less.
func (l *Link) Progress() time.Time {
	b := l.s.backlogs[l]
	if now := sys.Unsent(l.FD); now < b.queued {
		b = backlog{l.s.loop.Now, now}
		l.s.backlogs[l] = b
	}
	return b.took
}

// unkeep lets go of what was kept.
func (l *Link) unkeep() {
	if l.pend != nil {
		l.s.unspare(l.pend)
		l.pend = nil
		l.s.count(&l.pendHeld, nil)
		delete(l.s.backlogs, l)
	}
	l.sent = 0
}

// Finish ends the sending direction, after what is still to be sent.
func (l *Link) Finish() {
	if l.tls != nil {
		l.tls.goodbye()
	}
	if len(l.pend) > 0 {
		l.shut = true
		return
	}
	_ = unix.Shutdown(l.FD, unix.SHUT_WR) // a connection that is gone tells so when it is read
}

// Add keeps more of what was read and not taken.
func (l *Link) Add(p []byte) {
	if l.Rest == nil {
		l.Rest = l.s.spare()
	}
	l.Rest = append(l.Rest, p...)
	l.s.count(&l.restHeld, l.Rest)
}

// Put keeps what was read and not taken. It may be a part of what was kept before.
func (l *Link) Put(p []byte) {
	if len(p) == 0 {
		if l.Rest != nil {
			l.s.unspare(l.Rest)
			l.Rest = nil
			l.s.count(&l.restHeld, nil)
		}
		return
	}
	if l.Rest == nil {
		l.Rest = l.s.spare()
	}
	l.Rest = append(l.Rest[:0], p...)
	l.s.count(&l.restHeld, l.Rest)
}

// Close closes the socket; with hard the peer must not take what it got for the whole.
func (l *Link) Close(hard bool) {
	if l.Dead {
		return
	}
	l.Dead = true
	l.s.loop.Unwatch(l.FD, l.token)
	switch {
	case hard:
		netx.ResetFD(l.FD)
	default:
		if l.tls != nil && !l.tls.shaking {
			l.tls.goodbye()
		}
		_ = unix.Close(l.FD)
	}
	l.unkeep()
	l.Put(nil)
	if l.tls != nil {
		l.s.count(&l.tls.ownHeld, nil)
	}
}

// Event notes how the socket became ready, and tells whom it concerns.
func (l *Link) Event(r poll.Ready) {
	if l.Dead {
		return
	}
	l.In = l.In || r&(poll.In|poll.Ended) != 0
	l.Out = l.Out || r&poll.Out != 0
	l.Ended = l.Ended || r&poll.Ended != 0
	if l.tls != nil && l.tls.shaking {
		l.tls.listen()
		return
	}
	l.Owner.Ready(l)
}

// Look asks the kernel how the socket is ready, before its time is over. A poller
// tells when it can: what came in time may wait behind others, or for a goroutine that
// a busy machine did not let run.
func (l *Link) Look() {
	if r := sys.Readiness(l.FD); r != 0 {
		l.Event(r)
	}
}
