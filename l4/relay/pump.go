package relay

import (
	"sync"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
	"portico/l4/relay/pipe"
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
	pipe  *pipe.Pipe
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
	return p.shift()
}

// shift carries one buffer of bytes.
func (p *pump) shift() bool {
	buf := p.flow().loop.buf
	n, errno := netx.RecvFD(p.from.fd, buf)
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
	p.bulk = n == len(buf)
	if !p.bulk && !p.from.ended {
		p.from.in = false // a short read emptied the socket
	}
	return p.send(buf[:n], !p.bulk && p.from.last && !p.from.gone && !p.flow().broken)
}

// send writes, and holds what the other side does not take now. With the last bytes of
// its source it tells the other side of the end, in one segment.
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
		p.flow().loop.pipes.Put(p.pipe, p.piped == 0)
		p.pipe, p.piped = nil, 0
	}
}
