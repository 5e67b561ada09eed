package steer

import (
	"fmt"

	"portico/l4/maglev"
	"portico/spec"
)

// kept is what is kept of a listener.
type kept struct {
	Version int          `json:"version"`
	State   maglev.State `json:"state"`
}

// keptVersion is that of the shape of kept; what has another is not read.
const keptVersion = 1

// keptName is what a listener's generations are kept under.
func keptName(name spec.ListenerName) string { return "l4-generation-" + string(name) }

// load returns a listener as it was kept, or a new one.
func (s *Steer) load(name spec.ListenerName) *listener {
	l := &listener{name: name}
	if s.o.Keep == nil {
		return l
	}
	var k kept
	ok, err := s.o.Keep.Load(keptName(name), &k)
	if err == nil && ok {
		err = k.check()
	}
	switch {
	case err != nil:
		s.o.Log.Error("generations not read: the table begins anew", "listener", name, "error", err)
	case ok:
		l.state = k.State
		s.o.Log.Info("generations read", "listener", name, "generation", k.State.Now.Number, "targets", len(k.State.Now.Members))
	}
	return l
}

// check refuses what no Steer has saved.
func (k *kept) check() error {
	if k.Version != keptVersion {
		return fmt.Errorf("version %d is not %d", k.Version, keptVersion)
	}
	return k.State.Check()
}

// save keeps what changed. On an error it is tried again after the next change.
func (s *Steer) save() {
	if s.o.Keep == nil {
		return
	}
	s.mu.Lock()
	var states []kept
	var names []spec.ListenerName
	for name, l := range s.listeners {
		if l.unsaved {
			states, names = append(states, kept{Version: keptVersion, State: l.state}), append(names, name)
		}
	}
	s.mu.Unlock()
	for i, name := range names {
		if err := s.o.Keep.Save(keptName(name), &states[i]); err != nil {
			s.o.Log.Error("generations not kept: a restart would begin with older ones", "listener", name, "error", err)
			continue
		}
		s.mu.Lock()
		if l := s.listeners[name]; l != nil && l.state.Now.Number == states[i].State.Now.Number && l.state.Until.Equal(states[i].State.Until) {
			l.unsaved = false
		}
		s.mu.Unlock()
	}
}
