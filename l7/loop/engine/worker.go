package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/l7/exchange"
	"portico/l7/h2"
	"portico/l7/loop"
	"portico/l7/loop/sys"
	"portico/l7/loop/wheel"
)

const (
	eventsMax  = 256       // taken from a Poller at once
	framesMax  = 64 << 10  // of HTTP/2, read at once
	cipherSize = 64 << 10  // of TLS, read at once
	plainSize  = recordMax // of TLS, gathered for one record
	sparesMax  = 64        // buffers kept for what could not be sent
	spareSize  = 4 << 10   // that a new one begins with
	// spareMax is how large a buffer may be to be kept: what one reading yields,
	// with framing.
	spareMax = readMax + 8<<10
)

// worker is one loop: a goroutine, its sockets, and their connections.
type worker struct {
	d    *Driver
	poll loop.Poller
	now  time.Time // of the event that is looked at
	lag  lag

	watched []watched // by the lower half of a Token
	free    []uint32  // unused places in watched
	age     uint32    // makes the tokens of a place differ

	wheel  wheel.Wheel
	pool   pool
	conns  []*conn
	queue  queue    // of clients' events
	runs   []turner // have more to do, once others had their turn
	dirty  []*mux   // have something to write
	trunks map[shelf]*trunk

	backlogs map[*link]backlog // of the links that are slow
	events   [eventsMax]loop.Event

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
	shakes      int // handshakes going on

	leaving, draining bool
	closing           bool // what comes is reset
	stopped           bool

	mu     sync.Mutex
	posted []func() // for the loop to call
	asleep bool     // the loop may be waiting; a post must wake it

	clients atomic.Int64
	targets atomic.Int64 // in use
}

// watched is whoever is told of the events of a token.
type watched struct {
	age     uint32
	brings  bool       // new work, which waits until work that began is done
	waiting loop.Ready // in the queue, for the place it has there
	who     interface{ event(r loop.Ready) }
}

func newWorker(d *Driver, p loop.Poller) *worker {
	w := &worker{
		d: d, poll: p, now: clock.Now(),
		buf: make([]byte, readMax), frames: make([]byte, framesMax), trunks: map[shelf]*trunk{}, backlogs: map[*link]backlog{},
		cipher: make([]byte, cipherSize), plain: make([]byte, 0, plainSize),
	}
	w.lag.at = w.now
	w.wheel.Init(w.now)
	w.pool.init(w, d.o)
	return w
}

// run is the loop. It ends when a posted function stopped it.
func (w *worker) run() {
	for !w.stopped {
		n := w.poll.Wait(w.events[:], w.idle(), w.wheel.Next())
		w.now = clock.Now()
		begun := w.now
		w.lag.note(0, begun)
		for _, e := range w.events[:n] {
			w.take(e, begun)
		}
		waited := begun.Sub(w.queue.firstOr(begun))
		w.admit()
		w.now = clock.Now()
		w.callPosted()
		w.wheel.Advance(w.now)
		w.runMore()
		w.flushAll()
		w.now = clock.Now()
		w.lag.note(waited+w.now.Sub(begun), w.now)
		w.lag.tell()
		if w.shakes > 0 {
			runtime.Gosched() // handshakes run beside a loop that never sleeps
		}
	}
	w.lag.told.Store(0)
	_ = w.poll.Close() // nothing is watched any more
}

// idle reports whether there is nothing to do but wait for events.
func (w *worker) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asleep = len(w.posted) == 0 && len(w.runs) == 0 && w.queue.empty()
	return w.asleep
}

// callPosted calls what other goroutines posted, and what that posts.
func (w *worker) callPosted() {
	w.mu.Lock()
	w.asleep = false
	list := w.posted
	w.posted = nil
	w.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// post makes the loop call f. Any goroutine may call it; it does not wait.
func (w *worker) post(f func()) {
	w.mu.Lock()
	w.posted = append(w.posted, f)
	wake := w.asleep
	w.asleep = false
	w.mu.Unlock()
	if wake {
		w.poll.Wake()
	}
}

// runMore gives connections that have more to do their turn.
func (w *worker) runMore() {
	list := w.runs
	w.runs = nil
	for _, t := range list {
		t.turn()
	}
	clear(list)
	if w.runs == nil {
		w.runs = list[:0]
	}
}

// turner is whatever takes turns with others.
type turner interface{ turn() }

// later gives t another turn after others had theirs.
func (w *worker) later(t turner) { w.runs = append(w.runs, t) }

// watch begins to tell who of the events of a socket, which brings new work or
// goes on with some.
func (w *worker) watch(fd int, brings bool, who interface{ event(r loop.Ready) }) (loop.Token, error) {
	var i uint32
	if n := len(w.free); n > 0 {
		i, w.free = w.free[n-1], w.free[:n-1]
	} else {
		i = uint32(len(w.watched))
		w.watched = append(w.watched, watched{})
	}
	w.age++
	t := loop.Token(w.age)<<32 | loop.Token(i)
	w.watched[i] = watched{age: w.age, brings: brings, who: who}
	if err := w.poll.Add(fd, t); err != nil {
		w.forget(t)
		return 0, err
	}
	return t, nil
}

// forget stops telling of a token.
func (w *worker) forget(t loop.Token) {
	i := uint32(t)
	w.watched[i] = watched{}
	w.free = append(w.free, i)
}

// unwatch stops watching a link that is about to be closed.
func (w *worker) unwatch(l *link) {
	w.poll.Remove(l.fd, l.token)
	w.forget(l.token)
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
