package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// mover carries bytes between two sockets. It holds a buffer or a pipe only
// while there are bytes in it, so a quiet flow costs neither; and it passes bulk
// data through a pipe with splice(2), without copying it to the process.
type mover struct {
	src, dst syscall.RawConn // nil unless both ends are sockets
	pipes    *pipes

	bulk bool // the next bytes go through a pipe
	// Of the read or splice under way, for the callbacks, which are made once.
	buf    *[bufferSize]byte
	pipe   *pipe
	n      int
	err    error
	readIn func(fd uintptr) bool
	fillIn func(fd uintptr) bool
	drain  func(fd uintptr) bool
}

func (m *mover) init(r *Relay, from, to net.Conn) {
	src, ok := from.(*net.TCPConn)
	if !ok {
		return
	}
	dst, ok := to.(*net.TCPConn)
	if !ok {
		return
	}
	m.pipes = r.pipes
	m.readIn = m.read
	var err error
	if m.dst, err = dst.SyscallConn(); err != nil {
		return
	}
	m.src, _ = src.SyscallConn()
}

func (m *mover) canMove() bool { return m.src != nil }

// tryRead reads what is there and does not wait: 0 without an error is nothing yet.
func (m *mover) tryRead(b []byte) (int, error) {
	var n int
	var err error
	if rawErr := m.src.Read(func(fd uintptr) bool {
		n, err = ignoringEINTR(func() (int, error) { return unix.Read(int(fd), b) })
		return true
	}); rawErr != nil {
		return 0, rawErr
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// move carries bytes until there are no more.
func (p *pump) move() outcome {
	for {
		var out outcome
		var more bool
		if p.bulk {
			out, more = p.splice()
		} else {
			out, more = p.shift()
		}
		if !more {
			return out
		}
	}
}

// shift carries one buffer of bytes.
func (p *pump) shift() (outcome, bool) {
	if err := p.src.Read(p.readIn); err != nil {
		return cutOff, false
	}
	buf := p.buf
	p.buf = nil
	defer buffers.Put(buf)
	switch {
	case p.err != nil:
		return fromReset, false
	case p.n == 0:
		return ended, false
	}
	if _, err := p.to.Write(buf[:p.n]); err != nil {
		return writeOutcome(err), false
	}
	p.moved.Add(int64(p.n))
	p.bulk = p.n == bufferSize
	return 0, true
}

// read takes a buffer only when there is something to put into it.
func (m *mover) read(fd uintptr) bool {
	m.buf = buffers.Get().(*[bufferSize]byte)
	m.n, m.err = ignoringEINTR(func() (int, error) { return unix.Read(int(fd), m.buf[:]) })
	if errors.Is(m.err, unix.EAGAIN) {
		buffers.Put(m.buf)
		m.buf = nil
		return false
	}
	return true
}

// splice carries one pipe of bytes, or turns to buffers where that is better.
func (p *pump) splice() (outcome, bool) {
	if p.fillIn == nil { // most flows never come here
		p.fillIn, p.drain = p.fill, p.empty
	}
	p.n, p.err = 0, nil
	if err := p.src.Read(p.fillIn); err != nil {
		return cutOff, false
	}
	if p.pipe == nil { // none to be had, or none that the kernel takes
		p.bulk = false
		return 0, true
	}
	switch {
	case p.err != nil:
		p.release(true)
		return fromReset, false
	case p.n == 0:
		p.release(true)
		return ended, false
	}
	p.bulk = p.n >= bufferSize
	for p.n > 0 {
		before := p.n
		err := p.dst.Write(p.drain)
		p.moved.Add(int64(before - p.n))
		if err != nil || p.err != nil {
			p.release(false)
			if err != nil {
				return cutOff, false
			}
			return toReset, false
		}
	}
	p.release(true)
	return 0, true
}

// fill moves what the source has into a pipe, which it takes only for that.
func (m *mover) fill(fd uintptr) bool {
	if m.pipe = m.pipes.get(); m.pipe == nil {
		return true
	}
	m.n, m.err = splice(int(fd), m.pipe.w, pipeSize)
	switch {
	case errors.Is(m.err, unix.EAGAIN):
		m.release(true)
		return false
	case errors.Is(m.err, unix.EINVAL), errors.Is(m.err, unix.ENOSYS):
		m.release(true)
	}
	return true
}

// empty moves what the pipe has to where it goes.
func (m *mover) empty(fd uintptr) bool {
	for m.n > 0 {
		n, err := splice(m.pipe.r, int(fd), m.n)
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
		if err != nil {
			m.err = err
			return true
		}
		m.n -= n
	}
	return true
}

// release gives the pipe back, empty or not.
func (m *mover) release(isEmpty bool) {
	if isEmpty {
		m.pipes.put(m.pipe)
	} else {
		m.pipes.drop(m.pipe)
	}
	m.pipe = nil
}

func splice(from, to, most int) (int, error) {
	return ignoringEINTR(func() (int, error) {
		n, err := unix.Splice(from, nil, to, nil, most, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		return int(n), err
	})
}

func ignoringEINTR(do func() (int, error)) (int, error) {
	for {
		n, err := do()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// isGone reports whether the other side is dead: it reset the connection, or the
// kernel gave it up. An end is no death.
func isGone(c net.Conn) bool {
	gone := false
	control(c, func(fd int) {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(fds, 0)
		gone = err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
	})
	return gone
}

// How long a side that is to be reset is given to take what it was sent, and
// how often to look: a reset overtakes and discards it.
const (
	flushMax  = time.Second
	flushLook = 2 * time.Millisecond
)

// flush waits until the other side has all that was sent to it.
func flush(c net.Conn) {
	var waited time.Duration
	var t *time.Timer
	for unsent(c) && waited < flushMax {
		if t == nil {
			t = time.NewTimer(flushLook)
		} else {
			t.Reset(flushLook)
		}
		<-t.C
		waited += flushLook
	}
}

// unsent reports whether bytes wait to be taken by a side that still may.
func unsent(c net.Conn) bool {
	waiting := 0
	control(c, func(fd int) { waiting, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
	return waiting > 0 && !isGone(c)
}

func control(c net.Conn, do func(fd int)) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { do(int(fd)) })
}
