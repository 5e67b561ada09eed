package portable

import (
	"errors"
	"io"
	"net"

	"portico/l7/exchange"
)

// peer is one side's connection and the bytes of it the machine has not taken.
// All but the I/O happens under the conn's lock.
type peer struct {
	side exchange.Side
	link *link
	from shelf  // of a target: where it is kept
	buf  []byte // nil while there is nothing in it and nobody reads
	r, w int    // buf[r:w] waits for the machine
	full bool   // the last read filled the buffer

	err     error // what reading ended with
	told    bool  // the machine knows of err
	claimed bool  // a worker has it: it alone reads, and lets go of buf
	gone    bool  // closed, or pooled
}

// link is a connection, with what is made once for it. It outlives its peers
// where it is pooled.
type link struct {
	net.Conn
	tcp  *net.TCPConn // nil for TLS
	vec  net.Buffers  // of a write going on
	idle idle         // of a target's connection
}

func newLink(c net.Conn) *link {
	l := &link{Conn: c}
	l.tcp, _ = c.(*net.TCPConn)
	return l
}

// room returns where the next bytes are read to. Nothing waits in buf then, and
// no Send of its bytes is unanswered.
func (p *peer) room(b *buffers, idle bool) []byte {
	p.r, p.w = 0, 0
	large := p.full && !idle
	if p.buf != nil && (len(p.buf) == largeSize) != large {
		b.put(p.buf)
		p.buf = nil
	}
	if p.buf == nil {
		p.buf = b.get(large)
	}
	return p.buf
}

// free lets go of the buffer.
func (p *peer) free(b *buffers) {
	if p.buf != nil {
		b.put(p.buf)
		p.buf = nil
	}
	p.r, p.w = 0, 0
}

// write sends all segments.
func (l *link) write(segs [][]byte, b *buffers) (int64, error) {
	if len(segs) == 1 {
		n, err := l.Write(segs[0])
		return int64(n), err
	}
	if l.tcp != nil {
		l.vec = segs
		n, err := l.vec.WriteTo(l.tcp)
		l.vec = nil
		return n, err
	}
	return l.writeTLS(segs, b)
}

// writeTLS gathers segments, because each Write makes at least one record.
func (l *link) writeTLS(segs [][]byte, b *buffers) (total int64, err error) {
	scratch := b.get(true)
	defer b.put(scratch)
	used := 0
	flush := func() error {
		n, err := l.Write(scratch[:used])
		total, used = total+int64(n), 0
		return err
	}
	for _, seg := range segs {
		for len(seg) > 0 {
			n := copy(scratch[used:], seg)
			used, seg = used+n, seg[n:]
			if used == len(scratch) {
				if err := flush(); err != nil {
					return total, err
				}
			}
		}
	}
	if used > 0 {
		err = flush()
	}
	return total, err
}

// shut ends the sending direction.
func (l *link) shut() {
	if c, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // a connection that is gone tells so when it is read
	}
}

// isEOF reports whether reading ended as it should.
func isEOF(err error) bool { return errors.Is(err, io.EOF) }
