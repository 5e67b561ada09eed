package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"portico/internal/netx/proxy"
)

// bufferSize is what one read takes at most. A read that fills it says that more
// is coming, and worth a pipe.
const bufferSize = 16 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// outcome is how one direction of a flow came to its end.
type outcome uint8

const (
	ended     outcome = iota // its source said it was done
	fromReset                // its source is dead
	toReset                  // where it writes to is dead
	cutOff                   // we closed one of the two
)

// pump carries the bytes of one direction.
type pump struct {
	from, to net.Conn
	onEnd    Reason // what an end of from means
	onReset  Reason // what a reset of from means
	moved    atomic.Int64
	endSent  atomic.Bool // to was told that this direction is done

	head    proxy.Header // sent before the first byte
	hasHead bool

	mover
}

func (p *pump) init(f *flow, from, to net.Conn, onEnd, onReset Reason) {
	p.from, p.to, p.onEnd, p.onReset = from, to, onEnd, onReset
	p.mover.init(f.relay, from, to)
}

// run carries bytes until there are no more.
func (p *pump) run() outcome {
	if p.hasHead {
		if out, ok := p.sendHead(); !ok {
			return out
		}
	}
	if p.canMove() {
		return p.move()
	}
	return p.copy()
}

// sendHead writes the PROXY header, and with it what the client has sent by now.
func (p *pump) sendHead() (outcome, bool) {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	b := proxy.Append(buf[:0], p.head)
	first, err := 0, error(nil)
	if p.canMove() {
		first, err = p.tryRead(buf[len(b):])
	}
	if _, werr := p.to.Write(b[:len(b)+first]); werr != nil {
		return writeOutcome(werr), false
	}
	p.moved.Add(int64(first))
	if err != nil {
		return readOutcome(err), false
	}
	return 0, true
}

// copy carries bytes through a buffer that is held all along: the portable way,
// and that for connections that are no TCP sockets.
func (p *pump) copy() outcome {
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	for {
		n, err := p.from.Read(buf[:])
		if n > 0 {
			if _, werr := p.to.Write(buf[:n]); werr != nil {
				return writeOutcome(werr)
			}
			p.moved.Add(int64(n))
		}
		if err != nil {
			return readOutcome(err)
		}
	}
}

func readOutcome(err error) outcome {
	switch {
	case errors.Is(err, io.EOF):
		return ended
	case errors.Is(err, net.ErrClosed):
		return cutOff
	}
	return fromReset
}

func writeOutcome(err error) outcome {
	if errors.Is(err, net.ErrClosed) {
		return cutOff
	}
	return toReset
}
