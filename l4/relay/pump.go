package relay

import (
	"sync"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// bufferSize is what one read takes at most. A read that fills it says that more
// is coming, and worth a pipe.
const bufferSize = 16 << 10

// buffers hold what a side did not take at once.
var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// outcome is how one direction of a flow came to its end.
type outcome uint8

const (
	ended     outcome = iota // its source said it was done
	fromReset                // its source is dead
	toReset                  // where it writes to is dead
)

// pump carries the bytes of one direction. It holds a buffer or a pipe only while
// the other side does not take what is in it, so a quiet flow costs neither.
type pump struct {
	from, to *end
	onEnd    Reason // what an end of from means
	onReset  Reason // what a reset of from means
	done     bool   // nothing more is carried
	moved    *int64
	own      int // of the bytes to send next, so many are Portico's own

	buf  *[bufferSize]byte
	held []byte // what is left to send of buf

	bulk  bool // the next bytes go through a pipe
	pipe  *pipe
	piped int // bytes in it
}

func (p *pump) init(from, to *end, onEnd, onReset Reason) {
	p.from, p.to, p.onEnd, p.onReset = from, to, onEnd, onReset
}

func (p *pump) flow() *flow { return p.from.flow }

// move carries what is there, once, and reports whether there may be more to do. The
// flow may be over then.
func (p *pump) move() bool {
	switch {
	case p.done:
		return false
	case p.piped > 0:
		return p.to.out && p.empty()
	case len(p.held) > 0:
		return p.to.out && p.send(p.held, false)
	case !p.from.in:
		return false
	case p.bulk:
		return p.splice()
	}
	return p.shift(p.flow().loop.buf[:bufferSize], 0)
}

// shift carries one buffer of bytes, after those of the buffer that are there.
func (p *pump) shift(buf []byte, before int) bool {
	n, errno := netx.RecvFD(p.from.fd, buf[before:])
	switch {
	case errno == unix.EAGAIN:
		p.from.in = false
		return false
	case errno == unix.EINTR:
		return true
	case errno != 0:
		p.flow().settle(p, fromReset)
		return true
	case n == 0:
		p.flow().settle(p, ended)
		return true
	}
	p.bulk = n == bufferSize
	n += before
	last := false
	switch {
	case n == len(buf):
	case !p.from.ended:
		p.from.in = false // a short read emptied the socket
	case !p.from.gone && !p.flow().broken:
		n, last = p.rest(buf, n)
	}
	return p.send(buf[:n], last)
}

// rest reads on after the first n bytes of a buffer from a source that may have ended,
// and reports how many there are then, and whether they are its last: with them the
// other side learns of the end, in one segment.
func (p *pump) rest(buf []byte, n int) (all int, last bool) {
	more, errno := netx.RecvFD(p.from.fd, buf[n:])
	switch errno {
	case 0:
		return n + more, more == 0
	case unix.EAGAIN:
		p.from.in = false
	case unix.EINTR:
	default:
		p.flow().broken = true // the next read finds an end, which it is not
	}
	return n, false
}

// send writes, and holds what the other side does not take now. After the last bytes of
// its source, that one has ended.
func (p *pump) send(b []byte, last bool) bool {
	p.to.hasten()
	write := netx.SendFD
	if last {
		write = netx.SendLastFD
	}
	n, errno := write(p.to.fd, b)
	switch {
	case errno == unix.EAGAIN, errno == unix.EINTR:
		p.to.out = errno == unix.EINTR
		n = 0
	case errno != 0:
		p.drop()
		p.flow().settle(p, toReset)
		return true
	}
	own := min(p.own, n)
	p.own -= own
	*p.moved += int64(n - own)
	if n == len(b) {
		p.drop()
		if last {
			p.flow().settle(p, ended)
		}
		return true
	}
	if n > 0 {
		p.to.out = false
	}
	p.hold(b[n:])
	return p.to.out
}

// hold keeps bytes, which may be those it holds already.
func (p *pump) hold(b []byte) {
	if p.buf == nil {
		p.buf = buffers.Get().(*[bufferSize]byte)
		b = p.buf[:copy(p.buf[:], b)]
	}
	p.held = b
}

// drop lets go of what was not sent.
func (p *pump) drop() {
	if p.buf != nil {
		buffers.Put(p.buf)
		p.buf, p.held = nil, nil
	}
	if p.pipe != nil {
		p.flow().loop.pipes.put(p.pipe, p.piped == 0)
		p.pipe, p.piped = nil, 0
	}
}
