package exchange

import (
	"time"

	"portico/l7/exchange/outbox"
	"portico/l7/exchange/outcome"
	"portico/l7/exchange/pace"
	"portico/l7/http1"
	"portico/l7/message"
)

// Sizes of what a Memory keeps for its next request; what grew beyond is let go.
const (
	headStart = 1 << 10
	keepMax   = 16 << 10
)

// piecesMax is how many parts of a body one event forwards; what is beyond stays
// with the driver until they are sent.
const piecesMax = 16

// Memory is what a request needs while it is served. An idle connection has none.
type Memory struct {
	d    Decision
	req  message.Request
	resp message.Response
	res  outcome.Result

	head  []byte // of the request; req points into it until End
	rhead []byte // of the response; resp points into it until End
	scan  http1.Scanner
	rscan http1.Scanner

	body  http1.Decoder // of the request
	rbody http1.Decoder // of the response

	trailers [sides][]message.Field // that a stream ended with
	key      [24]byte               // of a WebSocket that was asked for here
	date     message.Date           // of answers that came without, or are made here; kept from request to request

	dialAt time.Time // when the dial going on began
	waitAt time.Time // when the wait going on began; zero without one

	// Deadlines that only a request has; zero means none.
	totalAt time.Time // of all of it
	tryAt   time.Time // for the target asked now to begin its answer
	pace    pace.Window

	out    [sides]outbox.Box
	pieces [][]byte // the parts of a body in one event's bytes
	made   []byte   // what a Transformer made of them
	whole  []byte   // the body of a request that was gathered
	held   []byte   // of an answer that is held
	kept   int      // of whole and held, what Memories.Keep was told
}

// NewMemory returns one for a Pool to hand out.
func NewMemory() *Memory {
	m := &Memory{head: make([]byte, 0, headStart), rhead: make([]byte, 0, headStart)}
	m.d.reset()
	return m
}

// Memories lends out Memory. A driver has one for each loop, or one behind a lock.
type Memories interface {
	Get() *Memory
	Put(*Memory)
	// Lag is how late the loop is: what is ready waits for so long.
	Lag() time.Duration
	// Keep counts n bytes that a request keeps besides its Memory; less than zero,
	// that it keeps them no more.
	Keep(n int)
	// Used is how much of what requests of the loop may hold is in use, in percent;
	// 0 where nothing bounds it.
	Used() int
}

// reset makes the memory ready for another request, also of another connection.
func (m *Memory) reset() {
	m.d.reset()
	m.req = message.Request{Fields: m.req.Fields[:0], Scratch: kept(m.req.Scratch)}
	m.resp = message.Response{Fields: m.resp.Fields[:0]}
	m.res = outcome.Result{}
	m.pace = pace.Window{}
	m.waitAt, m.totalAt, m.tryAt = time.Time{}, time.Time{}, time.Time{}
	m.head, m.rhead, m.made = kept(m.head), kept(m.rhead), kept(m.made)
	m.whole, m.held = kept(m.whole), kept(m.held)
	m.d.Scratch = kept(m.d.Scratch)
	m.scan, m.rscan = http1.Scanner{}, http1.Scanner{}
	for s := range m.trailers {
		m.trailers[s] = m.trailers[s][:0]
	}
	clear(m.pieces[:cap(m.pieces)])
	m.pieces = m.pieces[:0]
	for s := range m.out {
		m.out[s].Reset(keepMax)
	}
}

// kept empties b, and lets it go when it grew too large to keep.
func kept(b []byte) []byte {
	if cap(b) > keepMax {
		return nil
	}
	return b[:0]
}
