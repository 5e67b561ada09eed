package steer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"portico/internal/agree"
	"portico/l4/maglev"
	"portico/spec"
)

// Store is where the nodes of a site agree on the generations of a listener: the one
// that has a lease decides, and writes what it came to for the others to follow.
// agree.Files is one. Methods return soon, or when ctx ends.
type Store interface {
	// Now reads the clock of leases.
	Now() time.Duration
	// Acquire takes a lease or prolongs it, and returns it as it is then: of another
	// holder, where it is not to be had.
	Acquire(ctx context.Context, name string, self spec.NodeName, term time.Duration) (agree.Lease, error)
	// Release ends a lease, if it is self's.
	Release(ctx context.Context, name string, self spec.NodeName) error
	// Read returns a value and its revision, without the value where the caller has
	// that revision; what nobody wrote has 0.
	Read(name string, has uint64) (value []byte, revision uint64, err error)
	// Swap replaces the value that has a revision, or returns agree.ErrChanged.
	Swap(ctx context.Context, name string, has uint64, value []byte) (revision uint64, err error)
}

var _ Store = (*agree.Files)(nil)

// The times of sharing.
const (
	// Term is for how long nobody decides when the node that did falls silent, and how
	// long the store may fail before each node decides for itself.
	Term = 3 * time.Second
	// PollEvery is how often the store is looked at.
	PollEvery = 200 * time.Millisecond

	renewAt    = Term / 2               // left of a lease when it is renewed
	retryEvery = time.Second            // while the store fails
	storeWait  = 300 * time.Millisecond // for a look at it: no table changes meanwhile
)

// triesMax bounds how often one look tries again because another node was first.
const triesMax = 3

// value is what the store has of a listener.
type value struct {
	By    spec.NodeName `json:"by"`
	State maglev.State  `json:"state"`
}

// shared is what a node knows of a listener's generations in the store.
type shared struct {
	key      string      // there; "" for a listener that is not shared
	lease    agree.Lease // of who decides, as last seen
	revision uint64      // of the value that was seen
	number   uint64      // of its generation
	differs  bool        // this node would have other targets than it has
	failed   time.Time   // since when the store does; zero while it does not
	tried    time.Time   // when it was looked at while it failed
	err      error       // of the store, last
}

// ahead reports whether the store has nothing, or less than this node came to.
func (l *listener) ahead() bool { return l.number == 0 || l.number < l.state.Now.Number }

// leads reports whether this node decides for all.
func (s *Steer) leads(l *listener) bool {
	return l.lease.Holder == s.o.Self && l.lease.Until > s.o.Store.Now()
}

// alone reports whether the node decides for itself, as the store has failed for as
// long as a node that decides may be silent.
func (l *listener) alone(now time.Time) bool { return !l.failed.IsZero() && now.Sub(l.failed) >= Term }

// look sees to a listener: it follows the store and, where this node decides, steps.
// Asked says that the spec or verdicts may have changed. The caller holds s.mu.
func (s *Steer) look(l *listener, now time.Time, asked bool) {
	s.share(l)
	asked = asked || !l.state.Until.IsZero() && !now.Before(l.state.Until)
	switch {
	case l.key == "" && asked:
		s.step(l, now)
	case l.key == "":
	case l.failed.IsZero() || asked || now.Sub(l.tried) >= retryEvery:
		ctx, cancel := context.WithTimeout(context.Background(), storeWait)
		defer cancel()
		l.tried, l.err = now, s.agree(ctx, l, now, asked)
		switch {
		case l.err == nil:
			l.failed = time.Time{}
		case l.state.Now.Number == 0:
			l.failed = now.Add(-Term) // what has no table yet waits for nothing
		case l.failed.IsZero():
			l.failed = now
		}
	}
	if l.alone(now) {
		s.step(l, now)
	}
}

// step lets a listener go where this node would have it.
func (s *Steer) step(l *listener, now time.Time) {
	next, out := s.next(l, now)
	l.differs = false
	if out.Changed || s.Table(l.name) == nil {
		s.become(l, next, "", out.AtRisk)
	}
}

// stepAll lets a listener go there for all, if this node decides.
func (s *Steer) stepAll(ctx context.Context, l *listener, now time.Time) error {
	next, out := s.next(l, now)
	if l.differs = out.Changed || l.ahead(); !l.differs || !s.leads(l) && !l.ahead() {
		return nil
	}
	text, err := json.Marshal(value{s.o.Self, next})
	if err != nil {
		return err
	}
	revision, err := s.o.Store.Swap(ctx, l.key, l.revision, text)
	if err != nil {
		return err
	}
	l.revision, l.number, l.differs = revision, next.Now.Number, false
	s.become(l, next, s.o.Self, out.AtRisk)
	return nil
}

// share begins or ends the sharing of a listener. Flows in sockets depend on no table,
// so what was decided for them is forgotten where others' flows do.
func (s *Steer) share(l *listener) {
	key := ""
	if s.o.Store != nil && !s.o.Sockets() {
		// The number is that of the shape of values: versions that have others do not meet.
		key = fmt.Sprintf("l4-generation-1-%s@%s", l.name, s.site)
	}
	if key == l.key {
		return
	}
	s.release(l)
	if l.shared = (shared{key: key}); key != "" {
		l.state = maglev.State{}
	}
}

// agree does what is to be done of a listener in the store.
func (s *Steer) agree(ctx context.Context, l *listener, now time.Time, asked bool) error {
	asked = asked || !l.failed.IsZero() // it may have been asked in vain
	for range triesMax {
		news, err := s.follow(l)
		if err == nil {
			err = s.lead(ctx, l)
		}
		if err == nil && (asked || news || l.ahead() || l.differs && s.leads(l)) {
			err = s.stepAll(ctx, l, now)
		}
		if !errors.Is(err, agree.ErrChanged) {
			return err
		}
		asked = true
	}
	return nil // and the next look tries again, where there is still something to do
}

// follow takes what the store has, unless this node came further while it could not
// write there.
func (s *Steer) follow(l *listener) (news bool, err error) {
	text, revision, err := s.o.Store.Read(l.key, l.revision)
	if err != nil || revision == l.revision {
		return false, err
	}
	var v value
	if revision != 0 {
		if err = json.Unmarshal(text, &v); err == nil {
			err = v.State.Check()
		}
		if err != nil {
			s.o.Log.Error("generations not read: others are written in their place", "listener", l.name, "error", err)
			v = value{}
		}
	}
	if l.revision, l.number = revision, v.State.Now.Number; !l.ahead() {
		s.become(l, v.State, v.By, -1)
	}
	return true, nil
}

// lead takes the lease of who decides where it is free, and keeps it. Who would have
// other targets asks for it each time: the one that decides may have left.
func (s *Steer) lead(ctx context.Context, l *listener) error {
	left := l.lease.Until - s.o.Store.Now()
	if l.lease.Holder == s.o.Self && left > renewAt || l.lease.Holder != s.o.Self && left > 0 && !l.differs {
		return nil
	}
	lease, err := s.o.Store.Acquire(ctx, l.key, s.o.Self, Term)
	if err == nil {
		l.lease = lease
	}
	return err
}

// release lets another node decide.
func (s *Steer) release(l *listener) {
	if l.key == "" || !s.leads(l) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeWait)
	defer cancel()
	if err := s.o.Store.Release(ctx, l.key, s.o.Self); err != nil {
		s.o.Log.Warn("lease of who decides not given back", "listener", l.name, "error", err)
	}
	l.lease = agree.Lease{}
}
