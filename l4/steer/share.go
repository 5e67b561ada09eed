package steer

import (
	"maps"
	"time"

	"portico/internal/clock"
	"portico/l4/maglev"
	"portico/spec"
)

// hearEvery is how often a node looks at what others keep, and tells them that it runs.
const hearEvery = time.Second

// heard is what another node of the site has kept of a listener.
type heard struct {
	at     time.Time // when it kept it
	state  maglev.State
	failed bool // it cannot be read
}

// shares reports whether other nodes matter: flows in sockets are brought nowhere else
// by a router. The caller holds s.mu.
func (s *Steer) shares() bool { return s.o.Keep != nil && !s.sockets }

// here tells others that this node runs.
func (s *Steer) here() {
	err := s.o.Keep.Here()
	if err != nil && s.hidden == nil {
		s.o.Log.Error("others are not told that this node runs: they will forget its flows", "error", err)
	}
	s.hidden = err
}

// hearAll looks at what other nodes keep, and when they ran, unless it just did. The
// caller holds s.mu.
func (s *Steer) hearAll(now time.Time) {
	if !s.shares() || now.Sub(s.looked) < hearEvery && !now.Before(s.looked) {
		return
	}
	s.looked = now
	s.look()
	for _, l := range s.listeners {
		s.hear(l)
	}
}

// seen is when another node ran: what it noted, and when that was found to be new. It
// is the latter that counts, as a machine's clock may be set back.
type seen struct{ noted, at time.Time }

// look notes which other nodes run. The caller holds s.mu.
func (s *Steer) look() {
	now := clock.Now()
	for _, node := range s.nodes {
		noted, was := s.o.Keep.Seen(node), s.seen[node]
		switch {
		case noted.Equal(was.noted):
		case !was.noted.IsZero():
			s.seen[node] = seen{noted, now}
		case noted.Sub(now) < hearEvery:
			s.seen[node] = seen{noted, noted}
		default: // by a clock of before; it will note another time if it runs
			s.seen[node] = seen{noted: noted}
		}
	}
}

// hear reads what other nodes have kept of a listener since. The caller holds s.mu.
func (s *Steer) hear(l *listener) {
	for _, node := range s.nodes {
		var k kept
		has := l.others[node]
		at, err := s.o.Keep.Load(node, keptName(l.name), has.at, &k)
		if err == nil && at.Equal(has.at) {
			continue
		}
		if err == nil && !at.IsZero() {
			err = k.check()
		}
		if err != nil && !has.failed {
			s.o.Log.Error("generations of another node not read: its flows have no second chance here", "listener", l.name, "other", node, "error", err)
		}
		next := heard{at: at, failed: err != nil}
		if err == nil {
			next.state = k.State
		}
		l.others[node] = next
	}
}

// others lists where the tables of other nodes are. The caller holds s.mu.
func (s *Steer) others(l *listener) (list []maglev.Other) {
	for _, node := range s.nodes {
		if h := l.others[node]; !h.at.IsZero() {
			list = append(list, maglev.Other{Node: node, State: h.state, Seen: s.seen[node].at})
		}
	}
	return list
}

// learn gives flows that other nodes placed a second chance, and reports whether that
// takes another table. The caller holds s.mu.
func (s *Steer) learn(l *listener, now time.Time) bool {
	from := l.state.From
	if !s.shares() || !l.state.Learn(s.others(l), now, s.bound) {
		return false
	}
	if l.state.From != from && l.state.From != "" {
		s.o.Log.Info("another node sends flows to other targets: those get what is not known here", "listener", l.name, "other", l.state.From, "until", l.state.Until)
	}
	return true
}

// leftFor is how long a listener that left is remembered: no less than flows live in
// most specs. Later, what was kept tells as much.
const leftFor = time.Hour

// leave lets a listener go, and remembers where it was: a spec that is not taken after
// all has it leave for a moment. The caller holds s.mu.
func (s *Steer) leave(l *listener) {
	now := clock.Now()
	maps.DeleteFunc(s.left, func(_ spec.ListenerName, o maglev.Other) bool { return now.Sub(o.Seen) > leftFor })
	s.left[l.name] = maglev.Other{Node: s.o.Self, State: l.state, Seen: now}
	delete(s.listeners, l.name)
	s.publish(l.name, nil)
}

// resume returns a listener as this node left or kept it, or as another did if this one
// was away for long. The caller holds s.mu, and has looked.
func (s *Steer) resume(name spec.ListenerName) *listener {
	l := &listener{name: name, others: map[spec.NodeName]heard{}}
	if s.o.Keep == nil {
		return l
	}
	from, was := s.left[name]
	if !was {
		from = s.load(name)
	}
	if s.shares() {
		s.hear(l)
		from = maglev.Resume(from, s.others(l), s.bound)
	}
	l.state = from.State
	l.unsaved = was || from.Node != s.o.Self // or the next start would take older state for that of now
	if n := len(l.state.Now.Members); n > 0 {
		s.o.Log.Info("generations read", "listener", name, "of", from.Node, "generation", l.state.Now.Number, "targets", n)
	}
	return l
}
