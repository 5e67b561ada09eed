package relay

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
	"portico/l4"
	"portico/target"
	"portico/target/balance"
)

// How hard a flow tries to reach a target.
const (
	triesMax   = 3
	triesBound = 30 * time.Second // no further try is begun after that
)

// connect begins to connect to a target, and goes on to others while that fails at
// once. The flow is reset where there is none.
func (f *flow) connect() {
	for f.phase == connecting {
		s := f.loop.relay.state.Load()
		f.tuple.Draw, f.tuple.Now = draw(), f.loop.now
		d := l4.Decide(f.tuple, s.table, f.loop.relay.o.Groups)
		if d.Target != nil {
			d.Begin(f.tuple)
		}
		f.choice, f.used, f.chosen = d, s, d.Target
		if d.Target == nil {
			f.unreachable(nil)
			return
		}
		if d.Target.Learns() {
			f.tuple.Now = clock.Now()
		}
		err := f.dial()
		if err == nil {
			return
		}
		f.failed(err)
	}
}

// dial begins to connect to the chosen target.
func (f *flow) dial() error {
	o := netx.OptionsOf(&f.choice.Share.TCP)
	o.KeepAlive, o.Nagle = -1, true // later; see keep, and hasten
	fd, err := f.loop.relay.o.Dialer.Connect(f.chosen.Address(), o)
	if err != nil {
		return err
	}
	f.target = end{flow: f, fd: fd}
	if f.target.token, err = f.loop.watch(fd, &f.target); err != nil {
		f.target.close(f.loop, netx.CloseFD)
		return err
	}
	if bound := f.choice.Share.Connect; bound > 0 {
		f.loop.wait(f, f.loop.now.Add(bound))
	}
	return nil
}

// connected finds out how connecting ended.
func (f *flow) connected() {
	if !f.target.out {
		return
	}
	if f.target.ended { // perhaps after it was begun
		if err := f.loop.relay.o.Dialer.Connected(f.target.fd, f.chosen.Address()); err != nil {
			f.failed(err)
			f.connect()
			return
		}
	}
	f.loop.wait(f, time.Time{})
	f.learn(nil)
	f.chosen.Report(target.Outcome{Latency: f.loop.now.Sub(f.tuple.Now), Goes: true})
	f.place()
	f.carry()
}

// failed ends one try. Where no other would help, it ends the flow.
func (f *flow) failed(err error) {
	f.loop.wait(f, time.Time{})
	f.target.close(f.loop, netx.CloseFD)
	f.tally.connectFailures.Add(1)
	f.learn(err)
	full := netx.NoFile(err) // no target is at fault, and no other one can be reached
	if !full {
		f.chosen.Report(target.Outcome{Failure: "no connection"})
	}
	f.chosen.End()
	f.tuple.Tried = append(f.tuple.Tried, f.chosen)
	f.chosen = nil
	late := f.loop.now.Sub(f.began) > triesBound
	if len(f.tuple.Tried) == triesMax || late || full {
		f.unreachable(err)
	}
}

// learn tells a balance that asks how long it took to connect to a target: all that
// a flow shows of its speed.
func (f *flow) learn(err error) {
	if !f.chosen.Learns() || netx.NoFile(err) {
		return
	}
	now := clock.Now()
	f.chosen.Observe(balance.Outcome{Now: now, Took: now.Sub(f.tuple.Now), Failed: err != nil})
}

// unreachable ends the flow, and says why no target was reached.
func (f *flow) unreachable(err error) {
	switch {
	case f.choice.Why == l4.NoServer:
		f.note(NoServer)
	case f.choice.Why == l4.Full, netx.NoFile(err):
		f.note(Limit)
	case len(f.tuple.Tried) > 0:
		f.note(ConnectFailed)
	default:
		f.note(NoTarget)
	}
	if log := f.loop.relay.o.Log; log.Enabled(context.Background(), slog.LevelDebug) {
		attrs := []any{"listener", f.tally.name, "client", f.tuple.Client, "vip", f.tuple.VIP, "reason", f.why, "tries", len(f.tuple.Tried), "why", f.choice.Why}
		if f.choice.Share != nil {
			attrs = append(attrs, "group", f.choice.Share.Group)
		}
		if err != nil {
			attrs = append(attrs, "error", err)
		}
		log.Debug("flow not connected", attrs...)
	}
	if f.choice.Why == l4.NoServer {
		f.refuseName()
		return
	}
	f.reset()
}

func draw() uint64 { return rand.Uint64() }

// newID is the id of a flow: told to its target and logged, a secret to nobody.
func newID() string { return fmt.Sprintf("%016x%016x", draw(), draw()) }
