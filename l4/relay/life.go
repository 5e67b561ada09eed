package relay

import (
	"net/netip"
	"time"

	"portico/internal/clock"
	"portico/l4"
	"portico/spec"
	"portico/target"
)

// life is what flows of every protocol have: where they are, for how long they may
// stay there, and how they are counted.
type life struct {
	loop  *loop
	bind  *bind
	tally *tally
	tuple l4.Flow
	at    int    // in loop.flows
	why   Reason // the first cause wins
	begun time.Time

	chosen *target.Target // the last one tried or used; nil where none is
	choice l4.Decision    // of the try under way, or that succeeded
	used   *state         // what it was decided by

	id      string               // that the target was told; empty where it was not
	group   spec.TargetGroupName // empty until connected
	address netip.AddrPort       // of the target
	idle    time.Duration        // 0 means for ever
	quiet   time.Duration        // without a byte, as far as sweeps saw
	bounded bool                 // its listener or target left
	left    time.Duration        // until it is cut, when bounded
	moved   [2]int64             // bytes up and down
	counted [2]int64             // of these, what the tally has
}

// carried is a flow of any protocol, as its loop knows it.
type carried interface {
	// age lets time pass; the flow may end by that.
	age(by time.Duration)
	// applied tells of a new spec.
	applied(s *state)
	// cut ends the flow at once.
	cut(why Reason)
	// index is its place among the flows of the loop.
	index() *int
}

func (l *life) index() *int { return &l.at }

// note says why the flow ends, unless that is known already.
func (l *life) note(why Reason) {
	if l.why == open {
		l.why = why
	}
}

// place notes where the flow is, and catches up with an Apply that did not see
// it there.
func (l *life) place() {
	l.group, l.address, l.idle = l.choice.Share.Group, l.chosen.Address(), l.choice.Share.Idle
	if s := l.loop.relay.state.Load(); s != l.used {
		l.applied(s)
	}
	l.used = nil
}

// applied bounds the flow if its listener or target left, and frees it if they
// are back.
func (l *life) applied(s *state) {
	keeps := s.table.Listener(l.bind.proto, l.tuple.VIP) != nil
	if l.group != "" {
		keeps = s.table.Keeps(l.bind.proto, l.tuple.VIP, l.group, l.address)
	}
	if !keeps && !l.bounded {
		l.left = s.drain
	}
	l.bounded = !keeps
}

// pass lets time pass: a reason other than open says that the flow's bound or its
// idle time is over.
func (l *life) pass(by time.Duration) Reason {
	moved := l.count()
	if l.bounded {
		if l.left -= by; l.left <= 0 {
			return Drained
		}
	}
	if moved || l.group == "" || l.idle == 0 {
		l.quiet = 0
		return open
	}
	if l.quiet += by; l.quiet >= l.idle {
		return Idle
	}
	return open
}

// count hands the bytes since the last time to the tally, and reports whether
// there were any.
func (l *life) count() bool {
	moved := l.moved != l.counted
	if moved {
		l.tally.bytesUp.Add(uint64(l.moved[0] - l.counted[0]))
		l.tally.bytesDown.Add(uint64(l.moved[1] - l.counted[1]))
		l.counted = l.moved
	}
	return moved
}

// start counts the flow as begun at a listener.
func (l *life) start() {
	l.begun = l.loop.now
	l.tally.active.Add(1)
	l.bind.active.Add(1)
	l.bind.total.Add(1)
}

// end counts it as ended.
func (l *life) end() {
	if l.chosen != nil {
		l.chosen.End()
	}
	l.count()
	l.tally.ended[l.why].Add(1)
	l.tally.active.Add(-1)
	l.bind.active.Add(-1)
	if l.why.isFailure() {
		l.bind.failed.Add(1)
	}
	if l.bind.logs.Load() {
		l.loop.relay.log.add(l.line(clock.Now()))
	}
}
