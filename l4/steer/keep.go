package steer

import (
	"fmt"
	"time"

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

// load returns the state of a listener as it was kept, or the zero State.
func (s *Steer) load(name spec.ListenerName) maglev.State {
	var k kept
	at, err := s.o.Keep.Load(s.o.Self, keptName(name), time.Time{}, &k)
	if err == nil && !at.IsZero() {
		err = k.check()
	}
	if err != nil {
		s.o.Log.Error("generations not read: the table begins anew", "listener", name, "error", err)
		return maglev.State{}
	}
	return k.State
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
