package engine

import (
	"sync/atomic"

	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/l7/loop/reactor"
	"portico/l7/loop/sys"
)

const (
	framesMax  = 64 << 10  // of HTTP/2, read at once
	cipherSize = 64 << 10  // of TLS, read at once
	plainSize  = recordMax // of TLS, gathered for one record
	sparesMax  = 64        // buffers kept for what could not be sent
	spareSize  = 4 << 10   // that a new one begins with
	// spareMax is how large a buffer may be to be kept: what one reading yields,
	// with framing.
	spareMax = readMax + 8<<10
)

// worker is one loop: its sockets, and their connections.
type worker struct {
	reactor.Loop
	d *Driver

	pool   pool
	conns  []*conn
	dirty  []*mux // have something to write
	trunks map[shelf]*trunk

	backlogs map[*link]backlog // of the links that are slow

	// Memory that is used for the time of one event.
	buf    []byte
	frames []byte // of HTTP/2, beside which buf is used
	cipher []byte
	sealed []byte
	plain  []byte
	one    [1][]byte
	vector sys.Vector

	message h2.Message

	shared      h2.Shared
	idleStreams []*conn
	memories    []*exchange.Memory
	spares      [][]byte

	leaving, draining bool
	closing           bool // what comes is reset

	clients atomic.Int64
	targets atomic.Int64 // in use
}

func newWorker(d *Driver, p loop.Poller) *worker {
	w := &worker{
		d: d, buf: make([]byte, readMax), frames: make([]byte, framesMax), trunks: map[shelf]*trunk{}, backlogs: map[*link]backlog{},
		cipher: make([]byte, cipherSize), plain: make([]byte, 0, plainSize),
	}
	w.Init(p, w.flushAll)
	w.pool.init(w, d.o)
	return w
}

// Get and Put lend memory to machines (exchange.Memories).

// Get takes one.
func (w *worker) Get() *exchange.Memory {
	n := len(w.memories)
	if n == 0 {
		return exchange.NewMemory()
	}
	m := w.memories[n-1]
	w.memories[n-1] = nil
	w.memories = w.memories[:n-1]
	return m
}

// Put gives one back.
func (w *worker) Put(m *exchange.Memory) {
	if len(w.memories) < memoriesMax {
		w.memories = append(w.memories, m)
	}
}

// memoriesMax is how many a loop keeps for its next requests.
const memoriesMax = 1024

// spare is an empty buffer to append to.
func (w *worker) spare() []byte {
	n := len(w.spares)
	if n == 0 {
		return make([]byte, 0, spareSize)
	}
	b := w.spares[n-1]
	w.spares[n-1] = nil
	w.spares = w.spares[:n-1]
	return b
}

// unspare takes a buffer back.
func (w *worker) unspare(b []byte) {
	if cap(b) <= spareMax && len(w.spares) < sparesMax {
		w.spares = append(w.spares, b[:0])
	}
}
