package bfd

import "time"

// slow is the least interval that a session may wish for while it is not up (RFC
// 5880, section 6.8.3).
const slow = time.Second

// Settings are those of one session.
type Settings struct {
	Interval   time.Duration // between packets, both ways
	Multiplier int           // so many must be missing
	// Independent says that packets are forwarded also while the process is away.
	Independent bool
}

// Session is one end of a session: the variables of RFC 5880, section 6.8.1, and
// the steps between their values. It has no clock and no socket.
type Session struct {
	set Settings

	state      State
	diagnostic Diagnostic
	mine       uint32 // our discriminator, not 0

	yours   uint32    // the other end's; 0 when not known
	theirs  Packet    // the last that was taken
	heard   time.Time // when
	polling bool      // until a packet with Final comes
}

// NewSession is a session in state Down; mine is a random number other than 0.
func NewSession(set Settings, mine uint32) *Session {
	return &Session{set: set, state: Down, mine: mine}
}

// State is our end's.
func (s *Session) State() State { return s.state }

// Lost reports whether the other end fell silent. An end that says that it is down
// is not lost: it was told to, began anew, or does not hear us and knows what to do
// about that (RFC 5882, section 3.2).
func (s *Session) Lost() bool { return s.state == Down && s.diagnostic == Expired }

// Knows reports whether the other end's discriminator is known.
func (s *Session) Knows() bool { return s.yours != 0 }

// Receive takes a packet that Parse let through, and reports whether the state
// changed and whether a packet with Final must be sent at once (section 6.8.6).
func (s *Session) Receive(now time.Time, p Packet) (changed, final bool) {
	if p.Yours != 0 && p.Yours != s.mine {
		return false, false
	}
	s.yours, s.theirs, s.heard = p.Mine, p, now
	if p.Final {
		s.polling = false
	}
	if s.state == AdminDown {
		return false, false
	}
	before := s.state
	switch {
	case p.State == AdminDown && s.state != Down:
		s.enter(Down, NeighborSignaled)
	case p.State == AdminDown:
	case s.state == Down && p.State == Down:
		s.enter(Init, NoDiagnostic)
	case s.state == Down && p.State == Init, s.state == Init && p.State >= Init:
		s.enter(Up, NoDiagnostic)
		s.polling = true // our interval changes with the state (section 6.8.3)
	case s.state == Up && p.State == Down:
		s.enter(Down, NeighborSignaled)
	}
	return s.state != before, p.Poll
}

func (s *Session) enter(state State, why Diagnostic) {
	s.state, s.diagnostic = state, why
	if state != Up {
		s.polling = false
	}
}

// Expire looks whether too much time passed without a packet, and reports whether
// that changed the state (section 6.8.4).
func (s *Session) Expire(now time.Time) (changed bool) {
	if s.state < Init || now.Before(s.Deadline()) {
		return false
	}
	s.enter(Down, Expired)
	s.yours = 0
	return true
}

// Deadline is when Expire changes the state; it says nothing while the state is
// Down or AdminDown.
func (s *Session) Deadline() time.Time {
	return s.heard.Add(time.Duration(s.theirs.Multiplier) * max(s.set.Interval, s.theirs.Transmit))
}

// Forgive moves the deadline to one interval from now: for a caller that slept past
// it and could not hear.
func (s *Session) Forgive(now time.Time) {
	s.heard = s.heard.Add(now.Add(s.set.Interval).Sub(s.Deadline()))
}

// Close says AdminDown from now on: routers keep what they have.
func (s *Session) Close() { s.enter(AdminDown, Administrative) }

// wish is the interval that we ask for.
func (s *Session) wish() time.Duration {
	if s.state == Up {
		return s.set.Interval
	}
	return max(s.set.Interval, slow)
}

// Interval is the time to the next packet before jitter; 0 means that none may be
// sent (section 6.8.7).
func (s *Session) Interval() time.Duration {
	if s.yours != 0 && s.theirs.Receive == 0 {
		return 0
	}
	return max(s.wish(), s.theirs.Receive)
}

// Packet is what to send now.
func (s *Session) Packet() Packet {
	return Packet{
		Diagnostic: s.diagnostic, State: s.state, Poll: s.polling,
		Independent: s.set.Independent, Multiplier: uint8(s.set.Multiplier),
		Mine: s.mine, Yours: s.yours, Transmit: s.wish(), Receive: s.set.Interval,
	}
}

// Final is the answer to a packet with Poll.
func (s *Session) Final() Packet {
	p := s.Packet()
	p.Poll, p.Final = false, true
	return p
}
