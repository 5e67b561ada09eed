package steer

import (
	"time"

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
// by a router.
func (s *Steer) shares() bool { return s.o.Keep != nil && !s.o.Sockets() }

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

// look notes when other nodes last ran. The caller holds s.mu.
func (s *Steer) look() {
	for _, node := range s.nodes {
		s.seen[node] = s.o.Keep.Seen(node)
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
		if l.others[node] = (heard{at: at, state: k.State}); err != nil {
			l.others[node] = heard{at: at, failed: true}
		}
	}
}

// others lists where the tables of other nodes are. The caller holds s.mu.
func (s *Steer) others(l *listener) (list []maglev.Other) {
	for _, node := range s.nodes {
		if h := l.others[node]; !h.at.IsZero() {
			list = append(list, maglev.Other{Node: node, State: h.state, Seen: s.seen[node]})
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

// resume returns a listener as this node kept it, or as another did if this one was away
// for long. The caller holds s.mu.
func (s *Steer) resume(name spec.ListenerName) *listener {
	l := &listener{name: name, others: map[spec.NodeName]heard{}}
	if s.o.Keep == nil {
		return l
	}
	own := maglev.Other{Node: s.o.Self, State: s.load(name)}
	if len(own.State.Now.Members) > 0 {
		own.Seen = s.ran
	}
	l.state = own.State
	if s.shares() {
		s.look()
		s.hear(l)
		l.state = maglev.Resume(own, s.others(l), s.bound)
	}
	if n := len(l.state.Now.Members); n > 0 {
		s.o.Log.Info("generations read", "listener", name, "generation", l.state.Now.Number, "targets", n)
	}
	return l
}
