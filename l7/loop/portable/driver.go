package portable

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
	"portico/l7/exchange"
	"portico/l7/loop"
)

// What Options leave at zero.
const (
	poolIdleDefault      = 30 * time.Second
	poolPerTargetDefault = 256
	poolTotalDefault     = 4096
)

// Driver is a loop.Driver of goroutines.
type Driver struct {
	o        loop.Options
	pool     *pool
	memories memories
	buffers  buffers
	targets  atomic.Int64 // connections to targets in use

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	served sync.WaitGroup // the Serves

	mu       sync.Mutex
	conns    map[*conn]struct{}
	leaving  bool
	draining bool
	empty    chan struct{} // closed when a drain has no connection left; nil before
}

var _ loop.Driver = (*Driver)(nil)

// New returns a driver; Close ends it.
func New(o loop.Options) *Driver {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.PoolIdle == 0 {
		o.PoolIdle = poolIdleDefault
	}
	if o.PoolPerTarget == 0 {
		o.PoolPerTarget = poolPerTargetDefault
	}
	if o.PoolTotal == 0 {
		o.PoolTotal = poolTotalDefault
	}
	d := &Driver{o: o, conns: map[*conn]struct{}{}}
	d.pool = newPool(o)
	d.memories.New = func() any { return exchange.NewMemory() }
	d.buffers.init()
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Serve accepts connections on ln, which must be a *net.TCPListener or like one,
// until ln is closed.
func (d *Driver) Serve(ln net.Listener, svc loop.Service) error {
	tcp, ok := ln.(netx.Acceptor)
	if !ok {
		return fmt.Errorf("serving on %s: %T is no TCP listener", ln.Addr(), ln)
	}
	if !d.beginServe() {
		return ln.Close()
	}
	defer d.served.Done()
	netx.Accept(d.ctx, tcp, d.o.Log, func(nc *net.TCPConn) {
		c := newConn(d, svc, nc)
		if !d.add(c) {
			netx.Reset(nc)
			return
		}
		go c.serve()
	})
	return nil
}

// beginServe counts a Serve in, unless the driver is closed: Close waits for
// those it found.
func (d *Driver) beginServe() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return false
	}
	d.served.Add(1)
	return true
}

// add counts a connection in, unless the driver is closed.
func (d *Driver) add(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return false
	}
	d.conns[c] = struct{}{}
	return true
}

// remove counts a connection out.
func (d *Driver) remove(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
	if d.empty != nil && len(d.conns) == 0 {
		close(d.empty)
		d.empty = nil
	}
}

// Retain closes the idle connections to addresses that are not wanted any more.
func (d *Driver) Retain(wanted func(netip.AddrPort) bool) { d.pool.retain(wanted) }

// Leave makes connections end with their next answer.
func (d *Driver) Leave() {
	d.mu.Lock()
	d.leaving = true
	d.mu.Unlock()
	for _, c := range d.all() {
		c.leave()
	}
}

func (d *Driver) isLeaving() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leaving
}

// Drain lets requests finish.
func (d *Driver) Drain(ctx context.Context) error {
	d.mu.Lock()
	d.draining = true
	d.mu.Unlock()
	for _, c := range d.all() {
		c.drain()
	}
	return d.wait(ctx)
}

// wait returns when no connection is left, or with ctx's error.
func (d *Driver) wait(ctx context.Context) error {
	d.mu.Lock()
	if len(d.conns) == 0 {
		d.mu.Unlock()
		return nil
	}
	if d.empty == nil {
		d.empty = make(chan struct{})
	}
	empty := d.empty
	d.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("draining: %d connections left: %w", d.Stats().Clients, ctx.Err())
	}
}

// Close resets every connection at once and waits until all are gone.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.cancel()
	d.mu.Unlock()
	d.served.Wait()
	for _, c := range d.all() {
		c.kill()
	}
	_ = d.wait(context.Background())
	d.pool.close()
	return nil
}

// all lists the connections there are now.
func (d *Driver) all() []*conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*conn, 0, len(d.conns))
	for c := range d.conns {
		list = append(list, c)
	}
	return list
}

func (d *Driver) isDraining() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.draining
}

// Stats counts what is open now.
func (d *Driver) Stats() loop.Stats {
	d.mu.Lock()
	clients := len(d.conns)
	d.mu.Unlock()
	return loop.Stats{Clients: clients, Targets: int(d.targets.Load()), Idle: d.pool.size()}
}

// now is the time of an event.
func now() time.Time { return clock.Now() }

// seed makes connections draw differently.
func seed() uint64 { return rand.Uint64() }
