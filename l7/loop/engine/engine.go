package engine

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/clock"
	"portico/internal/netx"
	"portico/l7/loop"
	"portico/l7/loop/link"
)

// What Options leave at zero.
const (
	poolIdleDefault      = 30 * time.Second
	poolPerTargetDefault = 256
	poolTotalDefault     = 4096
	connectionsDefault   = 1 << 20 // where the file table has no bound
	// filesApart are those of the process that are no connections.
	filesApart = 128
)

// Driver is a loop.Driver of event loops.
type Driver struct {
	o        loop.Options
	workers  []*worker
	connsMax int // of clients, on one loop
	clients  atomic.Int64
	ran      sync.WaitGroup // the loops
	shakes   sync.WaitGroup // goroutines of handshakes

	ops     sync.Mutex // held while all loops are asked to do something; guards:
	running bool
	closed  bool

	mu      sync.Mutex // guards what follows
	sockets map[*socket]struct{}
	empty   chan struct{} // closed when no connection is left; nil while nobody waits
}

var _ loop.Driver = (*Driver)(nil)

// New returns a driver whose loops wait with what poller makes; Close ends it.
func New(o loop.Options, poller func() (loop.Poller, error)) (*Driver, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	orDefault(&o.PoolIdle, poolIdleDefault)
	orDefault(&o.PoolPerTarget, poolPerTargetDefault)
	orDefault(&o.PoolTotal, poolTotalDefault)
	orDefault(&o.Loops, runtime.GOMAXPROCS(0))
	orDefault(&o.Connections, connectionsMax())
	d := &Driver{o: o, sockets: map[*socket]struct{}{}, connsMax: max(1, o.Connections/o.Loops)}
	for range o.Loops {
		p, err := poller()
		if err != nil {
			for _, w := range d.workers {
				w.Close() // nothing is watched yet
			}
			return nil, fmt.Errorf("event loop: %w", err)
		}
		d.workers = append(d.workers, newWorker(d, p))
	}
	return d, nil
}

func orDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// connectionsMax is how many clients the file table has room for, beside the
// connections to targets: idle clients need none, so a quarter is left for them.
func connectionsMax() int {
	files := netx.FilesMax()
	if files == 0 {
		return connectionsDefault
	}
	return max(1, (files-filesApart)/4*3)
}

// Listen binds an address; connections are accepted from Serve on. Each loop has
// a socket of its own, among which the kernel spreads clients, or where it cannot
// a copy of the only one.
func (d *Driver) Listen(ctx context.Context, addr netip.AddrPort, o netx.Options) (loop.Socket, error) {
	list, err := netx.ListenMany(ctx, addr, len(d.workers), o)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, ln := range list {
			_ = ln.Close() // the copies stay open
		}
	}()
	s := &socket{d: d, addr: netx.AddrPort(list[0].Addr())}
	for i, w := range d.workers {
		fd, err := copyOf(list[i%len(list)])
		if err != nil {
			for _, a := range s.on {
				_ = unix.Close(a.fd)
			}
			return nil, fmt.Errorf("listen %s: %w", addr, err)
		}
		s.on = append(s.on, &acceptor{w: w, fd: fd, addr: s.addr})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sockets[s] = struct{}{}
	return s, nil
}

// copyOf is a file descriptor of a listening socket that the runtime does not
// watch. What is accepted sends small writes at once.
func copyOf(ln *net.TCPListener) (fd int, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return -1, err
	}
	ctlErr := raw.Control(func(of uintptr) {
		if err = unix.SetsockoptInt(int(of), unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err == nil {
			fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if ctlErr != nil {
		return -1, ctlErr
	}
	return fd, err
}

// each calls f on every loop, and returns when all have. After Close it does
// nothing.
func (d *Driver) each(f func(*worker)) {
	d.ops.Lock()
	defer d.ops.Unlock()
	if !d.closed {
		d.call(f)
	}
}

// call is each for who holds d.ops.
func (d *Driver) call(f func(*worker)) {
	var wg sync.WaitGroup
	for _, w := range d.workers {
		if !d.running {
			f(w)
			continue
		}
		wg.Add(1)
		w.Post(func() {
			defer wg.Done()
			f(w)
		})
	}
	wg.Wait()
}

// start starts the loops, unless they run. A driver that never served has none.
func (d *Driver) start() {
	d.ops.Lock()
	defer d.ops.Unlock()
	if d.running || d.closed {
		return
	}
	d.running = true
	for _, w := range d.workers {
		d.ran.Go(w.Run)
	}
}

// Retain closes the idle connections to addresses that are not wanted any more.
func (d *Driver) Retain(wanted func(netip.AddrPort) bool) {
	d.each(func(w *worker) {
		w.pool.Retain(wanted)
		w.retainTrunks(wanted)
	})
}

// Bound is how many bytes requests and answers under way may hold.
func (d *Driver) Bound(bytes int64) {
	d.each(func(w *worker) { w.memory.most = int(bytes) / len(d.workers) })
}

// Retire drains the connections of some listeners, or ends them at once.
func (d *Driver) Retire(gone func(loop.Listener) bool, reset bool) {
	d.each(func(w *worker) {
		w.each(func(c *conn) {
			switch {
			case c.l == nil || !gone(c.l):
			case reset:
				c.kill()
			default:
				c.end()
			}
		})
	})
}

// Leave makes connections end with their next answer.
func (d *Driver) Leave() {
	d.each(func(w *worker) {
		w.leaving = true
		w.each((*conn).leave)
	})
}

// Drain lets requests finish.
func (d *Driver) Drain(ctx context.Context) error {
	d.each(func(w *worker) {
		w.draining = true
		w.each((*conn).end)
	})
	return d.wait(ctx)
}

// wait returns when no connection is left, or with ctx's error.
func (d *Driver) wait(ctx context.Context) error {
	d.mu.Lock()
	if d.empty == nil {
		d.empty = make(chan struct{})
	}
	empty := d.empty
	d.mu.Unlock()
	if d.clients.Load() == 0 {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("draining: %d connections left: %w", d.Stats().Clients, ctx.Err())
	}
}

// left counts a connection out.
func (d *Driver) left() {
	if d.clients.Add(-1) > 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.empty != nil {
		close(d.empty)
		d.empty = nil
	}
}

// Close resets every connection at once and waits until all are gone.
func (d *Driver) Close() error {
	d.ops.Lock()
	defer d.ops.Unlock()
	if d.closed {
		return nil
	}
	d.call(func(w *worker) {
		w.closing = true
		w.each((*conn).kill)
	})
	for _, s := range d.open() {
		d.call(s.close)
	}
	_ = d.wait(context.Background())
	d.call(func(w *worker) {
		w.pool.Drop(func(*link.Link) bool { return true })
		w.closeTrunks()
		w.Stop()
	})
	d.closed = true
	if !d.running {
		for _, w := range d.workers {
			w.Close() // nothing is watched
		}
	}
	d.ran.Wait()
	d.shakes.Wait()
	return nil
}

// open lists the sockets that are not closed.
func (d *Driver) open() []*socket {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.sockets))
}

// Stats counts what is open now.
func (d *Driver) Stats() loop.Stats {
	s := loop.Stats{Clients: int(d.clients.Load())}
	for _, w := range d.workers {
		s.Targets += int(w.targets.Load())
		s.Idle += int(w.pool.Count())
		s.Held += w.memory.told.Load()
		s.Lag = max(s.Lag, w.LagAt(clock.Now()))
	}
	return s
}
