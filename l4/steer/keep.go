package steer

import (
	"fmt"
	"time"

	"portico/internal/clock"
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

// diskMax is how long a disk is waited for where something must wait: a listener that
// begins, and the end of a process.
const diskMax = 2 * time.Second

// keeping does for Run all that may wait for a disk, until ended is closed: it keeps
// what changed, and each second tells others that this node runs and listens to them.
func (s *Steer) keeping(ended <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last time.Time // when others were listened to
	for {
		select {
		case <-ended:
			s.save()
			return
		case <-s.keep:
		case <-timer.C:
		}
		s.mu.Lock()
		shares := s.shares()
		s.mu.Unlock()
		if now := clock.Now(); shares && now.Sub(last) >= hearEvery {
			last = now
			s.here()
			s.hearAll()
			wake(s.heard)
			timer.Reset(hearEvery)
		}
		s.save()
	}
}

// inTime waits until done is closed, or reports that it was not within diskMax.
func inTime(done <-chan struct{}) bool {
	timer := time.NewTimer(diskMax)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// load returns a listener as this node kept it, or without a state.
func (s *Steer) load(name spec.ListenerName) maglev.Other {
	own := maglev.Other{Node: s.o.Self}
	var k kept
	at, err := s.o.Keep.Load(s.o.Self, keptName(name), time.Time{}, &k)
	if err == nil && !at.IsZero() {
		err = k.check()
	}
	if err != nil {
		s.o.Log.Error("generations not read: the table begins anew", "listener", name, "error", err)
		return own
	}
	if own.State = k.State; len(k.State.Now.Members) > 0 {
		own.Seen = s.ran
		if at.After(s.ran) {
			own.Seen = at // it ran then
		}
	}
	return own
}

// check refuses what no Steer has saved.
func (k *kept) check() error {
	if k.Version != keptVersion {
		return fmt.Errorf("version %d is not %d", k.Version, keptVersion)
	}
	return k.State.Check()
}

// save keeps what changed. On an error it is tried again when Run looks next.
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
			l.unsaved = false
		}
	}
	s.mu.Unlock()
	for i, name := range names {
		err := s.o.Keep.Save(keptName(name), &states[i])
		s.mu.Lock()
		if l := s.listeners[name]; l != nil {
			if err != nil && !l.unkept {
				s.o.Log.Error("generations not kept: a restart would begin with older ones", "listener", name, "error", err)
			}
			l.unkept = err != nil
			l.unsaved = l.unsaved || l.unkept
		}
		s.mu.Unlock()
	}
}
