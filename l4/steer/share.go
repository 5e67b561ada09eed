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

// hearAll looks at what other nodes keep, and when they ran. The caller does not hold
// s.mu: the disk is asked without it, so that one that hangs keeps nobody waiting.
func (s *Steer) hearAll() {
	s.mu.Lock()
	nodes, all := s.nodes, make(map[*listener]map[spec.NodeName]heard, len(s.listeners))
	for _, l := range s.listeners {
		all[l] = l.others // as the nodes, replaced whole and never changed
	}
	s.mu.Unlock()

	ran := s.look(nodes)
	for l, has := range all {
		all[l] = s.hear(l.name, nodes, has)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteAll(ran)
	for l, others := range all {
		l.others = others // one that left meanwhile is nobody's
	}
}

// seen is when another node ran: what it noted, and when that was found to be new. It
// is the latter that counts, as a machine's clock may be set back.
type seen struct{ noted, at time.Time }

// look reads when other nodes noted that they run, and when it was read. The caller
// does not hold s.mu.
func (s *Steer) look(nodes []spec.NodeName) map[spec.NodeName]seen {
	ran := make(map[spec.NodeName]seen, len(nodes))
	for _, node := range nodes {
		noted := s.o.Keep.Seen(node)
		ran[node] = seen{noted, clock.Now()}
	}
	return ran
}

// noteAll takes what look has read. The caller holds s.mu.
func (s *Steer) noteAll(ran map[spec.NodeName]seen) {
	for node, is := range ran {
		was := s.seen[node]
		switch {
		case is.noted.Equal(was.noted):
		case !was.noted.IsZero():
			s.seen[node] = is
		case is.noted.Sub(is.at) < hearEvery:
			s.seen[node] = seen{is.noted, is.noted}
		default: // by a clock of before; it will note another time if it runs
			s.seen[node] = seen{noted: is.noted}
		}
	}
}

// hear reads what other nodes have kept of a listener since, and returns all that is
// known of it. The caller does not hold s.mu.
func (s *Steer) hear(name spec.ListenerName, nodes []spec.NodeName, has map[spec.NodeName]heard) map[spec.NodeName]heard {
	all := make(map[spec.NodeName]heard, len(nodes))
	for _, node := range nodes {
		var k kept
		was := has[node]
		at, err := s.o.Keep.Load(node, keptName(name), was.at, &k)
		if err == nil && at.Equal(was.at) {
			all[node] = was
			continue
		}
		if err == nil && !at.IsZero() {
			err = k.check()
		}
		if err != nil && !was.failed {
			s.o.Log.Error("generations of another node not read: its flows have no second chance here", "listener", name, "other", node, "error", err)
		}
		next := heard{at: at, failed: err != nil}
		if err == nil {
			next.state = k.State
		}
		all[node] = next
	}
	return all
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

// past is what was kept of a listener before it was one here.
type past struct {
	own    maglev.Other
	others map[spec.NodeName]heard
}

// pasts is what read returns: the past of listeners, and when other nodes ran.
type pasts struct {
	of  map[spec.ListenerName]past
	ran map[spec.NodeName]seen
}

// read reads what this node and the others have kept of listeners that begin. It is
// waited for, as flows are placed by it, but not for longer than diskMax. The caller
// does not hold s.mu.
func (s *Steer) read(names []spec.ListenerName, nodes []spec.NodeName) pasts {
	if s.o.Keep == nil || len(names) == 0 {
		return pasts{}
	}
	all, done := pasts{map[spec.ListenerName]past{}, nil}, make(chan struct{})
	go func() {
		defer close(done)
		all.ran = s.look(nodes)
		for _, name := range names {
			all.of[name] = past{s.load(name), s.hear(name, nodes, nil)}
		}
	}()
	if !inTime(done) { // all is the goroutine's alone, then and for ever
		s.o.Log.Error("generations not read in time: tables begin anew", "listeners", names, "after", diskMax)
		return pasts{}
	}
	return all
}

// resume returns a listener as this node left or kept it, or as another did if this one
// was away for long. The caller holds s.mu, and has taken when the others ran.
func (s *Steer) resume(name spec.ListenerName, past past) *listener {
	l := &listener{name: name, others: past.others}
	if s.o.Keep == nil {
		return l
	}
	from, was := s.left[name]
	if !was {
		from = past.own
		from.Node = s.o.Self // also where nothing was read
	}
	from = maglev.Resume(from, s.others(l), s.bound)
	l.state = from.State
	l.unsaved = was || from.Node != s.o.Self // or the next start would take older state for that of now
	if n := len(l.state.Now.Members); n > 0 {
		s.o.Log.Info("generations read", "listener", name, "of", from.Node, "generation", l.state.Now.Number, "targets", n)
	}
	return l
}
