package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/l4"
	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// flow is one connection of a client and, once there is one, that to its target.
type flow struct {
	relay  *Relay
	bind   *bind
	tally  *tally
	client *net.TCPConn
	tuple  l4.Flow

	chosen *target.Target // the last one tried or used
	why    atomic.Uint32  // Reason; the first cause wins
	up     pump           // client to target
	down   pump           // target to client
	halves atomic.Int32   // pumps that run
	broken atomic.Bool    // a side was found dead by writing to it

	mu     sync.Mutex // guards what cut needs
	target net.Conn   // nil until connected
	cancel context.CancelFunc
	isCut  bool

	// What follows is guarded by the shard's lock: sweeps and Apply change it.
	shard   *flowShard
	group   spec.TargetGroupName // empty until connected
	address netip.AddrPort       // of the target
	idle    time.Duration        // 0 means for ever
	quiet   time.Duration        // without a byte, as far as sweeps saw
	bounded bool                 // its listener or target left
	left    time.Duration        // until it is cut, when bounded
	counted [2]int64             // bytes up and down that the tally has
}

// How hard a flow tries to reach a target.
const (
	triesMax   = 3
	triesBound = 30 * time.Second // no further try is begun after that
	// clientLook is how often a flow that connects looks whether its client is
	// still there.
	clientLook = 100 * time.Millisecond
)

// run connects to a target and carries the flow until both sides are done.
func (f *flow) run() {
	s := f.relay.state.Load()
	d := f.connect(s)
	if d.Target == nil {
		netx.Reset(f.client)
		f.leave()
		return
	}
	f.place(s, d)
	f.up.init(f, f.client, f.target, ClientClosed, ClientReset)
	f.down.init(f, f.target, f.client, TargetClosed, TargetReset)
	if d.Share.Proxy {
		f.up.head = proxy.Header{Source: f.tuple.Client, Destination: f.tuple.VIP}
		f.up.hasHead = true
	}
	f.halves.Store(2)
	f.relay.open.Go(f.runDown)
	f.half(&f.up)
}

func (f *flow) runDown() { f.half(&f.down) }

// half runs one direction; whoever ends last ends the flow.
func (f *flow) half(p *pump) {
	f.settle(p, p.run())
	if f.halves.Add(-1) > 0 {
		return
	}
	if f.broken.Load() {
		f.reset(f.client, f.target)
	}
	_ = f.client.Close()
	_ = f.target.Close()
	f.chosen.End()
	f.leave()
}

// settle tells the other side what one direction came to.
func (f *flow) settle(p *pump, outcome outcome) {
	back := &f.down
	if p == back {
		back = &f.up
	}
	switch outcome {
	case ended:
		// Where a write to the dead side took the error away, reading from it looks
		// like an end. It is none: the other side must not take it for one.
		if f.broken.Load() || !back.endSent.Load() && isGone(p.from) {
			f.end(p.onReset)
			f.reset(p.to, p.from)
			return
		}
		f.end(p.onEnd)
		p.endSent.Store(true)
		closeWrite(p.to)
	case fromReset:
		f.end(p.onReset)
		f.reset(p.to, p.from)
	case toReset:
		// What that side sent before may still be on its way: the other direction
		// delivers it, then finds the end.
		f.end(back.onReset)
		f.broken.Store(true)
	case cutOff:
	}
}

// reset resets both sides, once the first was sent what it was owed.
func (f *flow) reset(to, from net.Conn) {
	flush(to)
	netx.Reset(to)
	netx.Reset(from)
}

func closeWrite(c net.Conn) {
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite() // it fails only where the other side is gone
		return
	}
	_ = c.Close()
}

// connect tries targets until one answers. The decision has no target when none
// did; why the flow ends is noted then.
func (f *flow) connect(s *state) l4.Decision {
	began := clock.Now()
	for try := 1; ; try++ {
		f.tuple.Draw, f.tuple.Now = draw(), clock.Now()
		d := l4.Decide(f.tuple, s.table, f.relay.o.Groups)
		if d.Target == nil {
			f.unreachable(d, nil)
			return d
		}
		if d.Begin(f.tuple); d.Target == nil {
			f.unreachable(d, nil)
			return d
		}
		f.chosen = d.Target
		tried := clock.Now()
		err := f.dial(d)
		if err == nil {
			f.learn(d, nil)
			d.Target.Report(target.Outcome{Latency: clock.Now().Sub(tried)})
			return d
		}
		if f.reason() == open { // else it was given up, and says nothing of the target
			f.tally.connectFailures.Add(1)
			f.learn(d, err)
			d.Target.Report(target.Outcome{Failure: "no connection"})
		}
		d.Target.End()
		f.tuple.Tried = append(f.tuple.Tried, d.Target)
		late := clock.Now().Sub(began) > triesBound
		if f.reason() != open || try == triesMax || late || !helpsElsewhere(err) {
			f.unreachable(d, err)
			d.Target = nil
			return d
		}
	}
}

// learn tells a balance that asks how long it took to connect to a target: all that
// a flow shows of its speed.
func (f *flow) learn(d l4.Decision, err error) {
	if !d.Target.Learns() || err != nil && !helpsElsewhere(err) {
		return
	}
	now := clock.Now()
	d.Target.Observe(balance.Outcome{Now: now, Took: now.Sub(f.tuple.Now), Failed: err != nil})
}

// unreachable notes why no target was reached.
func (f *flow) unreachable(d l4.Decision, err error) {
	switch {
	case d.Why == l4.Full, err != nil && !helpsElsewhere(err):
		f.end(Limit)
	case len(f.tuple.Tried) > 0:
		f.end(ConnectFailed)
	default:
		f.end(NoTarget)
	}
	if !f.relay.o.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attrs := []any{"listener", f.tally.name, "client", f.tuple.Client, "vip", f.tuple.VIP, "reason", f.reason(), "tries", len(f.tuple.Tried), "why", d.Why}
	if d.Share != nil {
		attrs = append(attrs, "group", d.Share.Group)
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	f.relay.o.Log.Debug("flow not connected", attrs...)
}

// dial connects to the decision's target, and stops early when the client goes
// away or the flow is cut.
func (f *flow) dial(d l4.Decision) error {
	ctx, cancel := within(d.Share.Connect)
	defer cancel()
	f.mu.Lock()
	f.cancel = cancel
	isCut := f.isCut
	f.mu.Unlock()
	if isCut {
		return net.ErrClosed
	}
	look := time.AfterFunc(clientLook, func() { f.look(ctx) })
	defer look.Stop()
	conn, err := f.relay.o.Dial(ctx, d.Target.Address())
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isCut {
		netx.Reset(conn)
		return net.ErrClosed
	}
	f.target = conn
	return nil
}

// within is a context that ends after bound, or not by itself when that is 0.
func within(bound time.Duration) (context.Context, context.CancelFunc) {
	if bound > 0 {
		return context.WithTimeout(context.Background(), bound)
	}
	return context.WithCancel(context.Background())
}

// look ends a try whose client went away, or looks again later.
func (f *flow) look(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if isGone(f.client) {
		f.end(ClientReset)
		f.mu.Lock()
		f.cancel()
		f.mu.Unlock()
		return
	}
	time.AfterFunc(clientLook, func() { f.look(ctx) })
}

// helpsElsewhere reports whether another target may be reached where one was
// not: not when it is this process that has no file left.
func helpsElsewhere(err error) bool {
	return !errors.Is(err, errNoFiles[0]) && !errors.Is(err, errNoFiles[1])
}

// end notes why the flow ends, unless that is known already.
func (f *flow) end(why Reason) { f.why.CompareAndSwap(uint32(open), uint32(why)) }

func (f *flow) reason() Reason { return Reason(f.why.Load()) }

// cut resets both sides at once, from outside of the flow.
func (f *flow) cut(why Reason) {
	f.end(why)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.isCut = true
	if f.cancel != nil {
		f.cancel()
	}
	netx.Reset(f.client)
	if f.target != nil {
		netx.Reset(f.target)
	}
}

// place notes where the flow is, and catches up with an Apply that did not see
// it there.
func (f *flow) place(used *state, d l4.Decision) {
	f.shard.mu.Lock()
	defer f.shard.mu.Unlock()
	f.group, f.address, f.idle = d.Share.Group, d.Target.Address(), d.Share.Idle
	if s := f.relay.state.Load(); s != used {
		f.applied(s)
	}
}

// applied bounds the flow if its listener or target left, and frees it if they
// are back. The caller holds the shard's lock.
func (f *flow) applied(s *state) {
	keeps := s.table.Listener(f.tuple.VIP) != nil
	if f.group != "" {
		keeps = s.table.Keeps(f.tuple.VIP, f.group, f.address)
	}
	if !keeps && !f.bounded {
		f.left = s.drain
	}
	f.bounded = !keeps
}

// age lets time pass for the flow: it is cut when its bound or its idle time is
// over. The caller holds the shard's lock.
func (f *flow) age(by time.Duration) {
	moved := f.count()
	if f.bounded {
		if f.left -= by; f.left <= 0 {
			f.cut(Drained)
			return
		}
	}
	if moved || f.group == "" || f.idle == 0 {
		f.quiet = 0
		return
	}
	if f.quiet += by; f.quiet >= f.idle {
		f.cut(Idle)
	}
}

// count hands the bytes since the last time to the tally, and reports whether
// there were any. The caller holds the shard's lock.
func (f *flow) count() bool {
	up, down := f.up.moved.Load(), f.down.moved.Load()
	moved := up != f.counted[0] || down != f.counted[1]
	if moved {
		f.tally.bytesUp.Add(uint64(up - f.counted[0]))
		f.tally.bytesDown.Add(uint64(down - f.counted[1]))
		f.counted = [2]int64{up, down}
	}
	return moved
}

// leave takes the flow off the books; nothing of it is open then.
func (f *flow) leave() {
	if f.shard != nil {
		f.shard.mu.Lock()
		f.count()
		f.shard.mu.Unlock()
		f.relay.flows.remove(f)
	}
	why := f.reason()
	f.tally.ended[why].Add(1)
	f.tally.active.Add(-1)
	f.bind.active.Add(-1)
	if why.isFailure() {
		f.bind.failed.Add(1)
	}
}
