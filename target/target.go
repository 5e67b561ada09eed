package target

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"portico/spec"
	"portico/spec/status"
	"portico/target/balance"
	"portico/target/health"
	"portico/target/outlier"
)

// Target is the live view of one target. It lives as long as its group lists its
// address, and for whoever still holds it.
type Target struct {
	group *Group
	id    uint64
	addr  netip.AddrPort

	spec   atomic.Pointer[spec.Target]
	load   atomic.Int64  // in flight
	total  atomic.Uint64 // begun
	pace   *balance.Pace // kept for pickers that learn
	place  atomic.Pointer[place]
	health atomic.Pointer[finding]

	passive passive
	percent atomic.Int32 // of its weight, in the table that now chooses

	// Guarded by group.mu.
	out    outlier.State
	warm   time.Time // when it began to warm up; zero when it did not
	state  health.State
	prober *prober // nil while it is not probed

	line line // those that wait for this target alone; guarded by group.queue.mu
}

// place is where the target is in the picker that now chooses; a nil place means
// that it is not among the choices.
type place struct {
	picker  balance.Picker
	learner balance.Observer // the picker, if it learns from outcomes; else nil
	index   int
}

// finding is what is known of the target's health at one moment.
type finding struct {
	verdict status.Verdict
	reason  string
	since   time.Time
}

// ID identifies the target in its group, alike on every node (hash of its address).
func (t *Target) ID() uint64 { return t.id }

// Label is the target's name for people.
func (t *Target) Label() string { return t.spec.Load().Label() }

// AppendLabel appends what Label returns, without making a text of an address.
func (t *Target) AppendLabel(dst []byte) []byte {
	if name := t.spec.Load().Name; name != "" {
		return append(dst, name...)
	}
	return t.addr.AppendTo(dst)
}

// Address is where the target is reached.
func (t *Target) Address() netip.AddrPort { return t.addr }

// Verdict is what health says now, and why.
func (t *Target) Verdict() (status.Verdict, string) {
	f := t.health.Load()
	return f.verdict, f.reason
}

// History lists the last changes of its verdict, oldest first.
func (t *Target) History() []health.Transition {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	return t.state.History()
}

// Active counts the requests or flows that began and did not end.
func (t *Target) Active() int64 { return t.load.Load() }

// Begin counts a request or flow sent to the target; every Begin needs one End.
func (t *Target) Begin() {
	t.total.Add(1)
	t.changeLoad(1)
}

// End counts it as over, and gives its place to whoever waits for one.
func (t *Target) End() {
	t.tried()
	t.changeLoad(-1)
	t.group.look(t)
}

// changeLoad first counts, then looks up whom to tell: a picker put in place
// between the two sees the count; see table.install.
func (t *Target) changeLoad(by int64) {
	t.load.Add(by)
	t.tell()
}

func (t *Target) tell() {
	if p := t.place.Load(); p != nil {
		p.picker.Loaded(p.index)
	}
}

// Learns reports whether the group's balance wants to be told of outcomes.
func (t *Target) Learns() bool {
	p := t.place.Load()
	return p != nil && p.learner != nil
}

// Observe tells the group's balance how something sent to the target went, if it
// wants to know. Of a target that takes nothing new, nothing is learned.
func (t *Target) Observe(o balance.Outcome) {
	if p := t.place.Load(); p != nil && p.learner != nil {
		p.learner.Observed(p.index, o)
	}
}

// TakesNew says whether the spec lets anything new be sent to the target.
func (t *Target) TakesNew() bool {
	s := t.spec.Load()
	return s.Weight > 0 && !s.Drain
}

// publish makes what the state says visible. The group is locked.
func (t *Target) publish() {
	f := &finding{verdict: t.state.Verdict(), reason: t.state.Reason(), since: t.state.Since()}
	if against, needed, why := t.state.Doubt(); against > 0 {
		switch f.verdict {
		case status.Healthy:
			f.reason = fmt.Sprintf("%d of %d probes failed: %s", against, needed, why)
		case status.Unhealthy:
			f.reason = fmt.Sprintf("%d of %d probes passed, before: %s", against, needed, f.reason)
		case status.Unknown:
		}
	}
	t.health.Store(f)
}

func (t *Target) status() status.Target {
	s, f := t.spec.Load(), t.health.Load()
	return status.Target{
		Label: s.Label(), Address: s.Address, Site: s.Site, Weight: s.Weight, Drain: s.Drain,
		Verdict: f.verdict, Reason: f.reason, Since: f.since, Used: t.place.Load() != nil,
		Active: t.load.Load(), Total: t.total.Load(), Ejection: t.ejection(), Percent: t.ramped(),
	}
}
