package engine

import (
	"sync/atomic"

	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/l7/loop/link"
	"portico/l7/loop/pool"
	"portico/l7/loop/reactor"
)

// framesMax is what of HTTP/2 is read at once.
const framesMax = 64 << 10

// worker is one loop: its sockets, and their connections.
type worker struct {
	reactor.Loop
	d *Driver

	links  link.Shared
	pool   pool.Pool
	conns  []*conn
	dirty  []*mux // have something to write
	trunks map[link.Shelf]*trunk

	// Memory that is used for the time of one event.
	buf    []byte
	frames []byte // of HTTP/2, beside which buf is used

	message h2.Message

	shared      h2.Shared
	idleStreams []*conn
	memories    []*exchange.Memory
	memory      memory

	leaving, draining bool
	closing           bool // what comes is reset

	clients atomic.Int64
	targets atomic.Int64 // in use
}

func newWorker(d *Driver, p loop.Poller) *worker {
	w := &worker{d: d, buf: make([]byte, link.ReadMax), frames: make([]byte, framesMax), trunks: map[link.Shelf]*trunk{}}
	w.Init(p, w.round)
	w.links.Init(&w.Loop, &d.shakes)
	w.pool.Init(&w.Loop, d.o.PoolIdle, max(1, d.o.PoolPerTarget/d.o.Loops), max(1, d.o.PoolTotal/d.o.Loops))
	return w
}

// Get and Put lend memory to machines (exchange.Memories).

// Get takes one.
func (w *worker) Get() *exchange.Memory {
	w.memory.lent++
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
	w.memory.lent--
	if len(w.memories) < memoriesMax {
		w.memories = append(w.memories, m)
	}
}

// memoriesMax is how many a loop keeps for its next requests.
const memoriesMax = 1024
