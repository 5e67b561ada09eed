package bfd_test

import (
	"bytes"
	"testing"
	"time"

	"portico/vip/bgp/bfd"
)

var settings = bfd.Settings{Interval: 300 * time.Millisecond, Multiplier: 3}

// TestSession proves each step of RFC 5880, section 6.8.6: what a session in a
// state makes of a packet with a state.
func TestSession(t *testing.T) {
	const mine, yours = 7, 9
	lead := map[bfd.State][]bfd.State{bfd.Down: nil, bfd.Init: {bfd.Down}, bfd.Up: {bfd.Down, bfd.Init}}
	cases := map[bfd.State]map[bfd.State]bfd.State{ // ours, theirs, ours then
		bfd.Down: {bfd.AdminDown: bfd.Down, bfd.Down: bfd.Init, bfd.Init: bfd.Up, bfd.Up: bfd.Down},
		bfd.Init: {bfd.AdminDown: bfd.Down, bfd.Down: bfd.Init, bfd.Init: bfd.Up, bfd.Up: bfd.Up},
		bfd.Up:   {bfd.AdminDown: bfd.Down, bfd.Down: bfd.Down, bfd.Init: bfd.Up, bfd.Up: bfd.Up},
	}
	now := time.Unix(0, 0)
	packet := func(s bfd.State) bfd.Packet {
		return bfd.Packet{State: s, Multiplier: 3, Mine: yours, Yours: mine, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond}
	}
	for ours, rows := range cases {
		for theirs, want := range rows {
			s := bfd.NewSession(settings, mine)
			for _, state := range lead[ours] {
				s.Receive(now, packet(state))
			}
			changed, final := s.Receive(now, packet(theirs))
			if s.State() != want || changed != (want != ours) || final {
				t.Errorf("%v, then %v arrives: %v, changed %v, final %v; want %v", ours, theirs, s.State(), changed, final, want)
			}
			if s.Lost() {
				t.Errorf("%v, then %v arrives: lost", ours, theirs)
			}
		}
	}
}

// up is a session that is up since now with a router of these intervals.
func up(t *testing.T, now time.Time, transmit, receive time.Duration) *bfd.Session {
	t.Helper()
	s := bfd.NewSession(settings, 7)
	for _, state := range []bfd.State{bfd.Down, bfd.Init} {
		s.Receive(now, bfd.Packet{State: state, Multiplier: 5, Mine: 9, Transmit: transmit, Receive: receive})
	}
	if s.State() != bfd.Up {
		t.Fatalf("state = %v, want up", s.State())
	}
	return s
}

// TestDetection proves when silence is a loss: the router's multiplier times the
// slower of both wishes (RFC 5880, section 6.8.4); and that it is told why.
func TestDetection(t *testing.T) {
	now := time.Unix(0, 0)
	s := up(t, now, 400*time.Millisecond, time.Millisecond)
	if s.Expire(now.Add(1999 * time.Millisecond)) {
		t.Error("expired before 5 times 400 ms")
	}
	if !s.Expire(now.Add(2 * time.Second)) {
		t.Error("not expired after 5 times 400 ms")
	}
	if p := s.Packet(); p.State != bfd.Down || p.Diagnostic != bfd.Expired || p.Yours != 0 {
		t.Errorf("packet = %+v, want down, expired, nobody known", p)
	}
	if !s.Lost() {
		t.Error("who fell silent is not lost")
	}

	// Who slept past the deadline listens for one interval more.
	s = up(t, now, 400*time.Millisecond, time.Millisecond)
	late := now.Add(time.Minute)
	s.Forgive(late)
	if got := s.Deadline().Sub(late); got != settings.Interval {
		t.Errorf("deadline %v after it was forgiven, want %v", got, settings.Interval)
	}
}

// TestIntervals proves how often packets are sent: once a second until the session
// is up, then as often as the router can take; never when it can take none.
func TestIntervals(t *testing.T) {
	now := time.Unix(0, 0)
	if got := bfd.NewSession(settings, 7).Interval(); got != time.Second {
		t.Errorf("interval while down = %v, want 1s", got)
	}
	for receive, want := range map[time.Duration]time.Duration{
		time.Millisecond: 300 * time.Millisecond, 2 * time.Second: 2 * time.Second, 0: 0,
	} {
		if got := up(t, now, time.Second, receive).Interval(); got != want {
			t.Errorf("interval to a router that takes one each %v = %v, want %v", receive, got, want)
		}
	}
}

// TestPoll proves that a change of intervals is asked for until it is confirmed,
// and that a router's question is answered (RFC 5880, section 6.5).
func TestPoll(t *testing.T) {
	now := time.Unix(0, 0)
	s := up(t, now, time.Second, time.Second)
	if p := s.Packet(); !p.Poll || p.Transmit != settings.Interval {
		t.Errorf("packet = %+v, want a question about 300 ms", p)
	}
	_, final := s.Receive(now, bfd.Packet{State: bfd.Up, Poll: true, Multiplier: 3, Mine: 9, Yours: 7, Receive: time.Second})
	if p := s.Final(); !final || !p.Final || p.Poll {
		t.Errorf("final %v, packet = %+v, want an answer", final, p)
	}
	s.Receive(now, bfd.Packet{State: bfd.Up, Final: true, Multiplier: 3, Mine: 9, Yours: 7, Receive: time.Second})
	if s.Packet().Poll {
		t.Error("still asking after the answer")
	}
}

// TestStranger proves that a packet for another session changes nothing, and that a
// closed one stays closed.
func TestStranger(t *testing.T) {
	now := time.Unix(0, 0)
	s := up(t, now, time.Second, time.Second)
	if changed, _ := s.Receive(now, bfd.Packet{State: bfd.Down, Multiplier: 3, Mine: 9, Yours: 8}); changed {
		t.Error("a packet with another discriminator changed the state")
	}
	s.Close()
	if changed, _ := s.Receive(now, bfd.Packet{State: bfd.Down, Multiplier: 3, Mine: 9, Yours: 7}); changed || s.State() != bfd.AdminDown {
		t.Errorf("state = %v after Close, want admin-down", s.State())
	}
	if p := s.Packet(); p.State != bfd.AdminDown || p.Diagnostic != bfd.Administrative {
		t.Errorf("packet = %+v, want admin-down", p)
	}
}

// TestPacket proves the layout of RFC 5880, section 4.1, and what is discarded.
func TestPacket(t *testing.T) {
	p := bfd.Packet{
		Diagnostic: bfd.NeighborSignaled, State: bfd.Up, Poll: true, Independent: true, Multiplier: 3,
		Mine: 0x01020304, Yours: 0x05060708, Transmit: 300 * time.Millisecond, Receive: time.Second,
	}
	wire := []byte{
		0x23, 0xe8, 3, 24, 1, 2, 3, 4, 5, 6, 7, 8,
		0, 0x04, 0x93, 0xe0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0,
	}
	if got := p.Append(nil); !bytes.Equal(got, wire) {
		t.Errorf("Append = %x, want %x", got, wire)
	}
	if got, err := bfd.Parse(wire); err != nil || got != p {
		t.Errorf("Parse = %+v, %v, want %+v", got, err, p)
	}
	for name, spoil := range map[string]func(b []byte) []byte{
		"short":               func(b []byte) []byte { return b[:23] },
		"another version":     func(b []byte) []byte { b[0] = 0x43; return b },
		"longer than it is":   func(b []byte) []byte { b[3] = 25; return b },
		"authenticated":       func(b []byte) []byte { b[1] |= 4; return b },
		"multipoint":          func(b []byte) []byte { b[1] |= 1; return b },
		"no multiplier":       func(b []byte) []byte { b[2] = 0; return b },
		"nobody's":            func(b []byte) []byte { copy(b[4:8], []byte{0, 0, 0, 0}); return b },
		"up with nobody":      func(b []byte) []byte { copy(b[8:12], []byte{0, 0, 0, 0}); return b },
		"length of no packet": func(b []byte) []byte { b[3] = 23; return b },
	} {
		if got, err := bfd.Parse(spoil(bytes.Clone(wire))); err == nil {
			t.Errorf("%s: Parse = %+v, want an error", name, got)
		}
	}
}

// FuzzParse proves that no bytes do harm, and that what is read is written alike.
func FuzzParse(f *testing.F) {
	f.Add(bfd.Packet{State: bfd.Down, Multiplier: 3, Mine: 1}.Append(nil))
	f.Add(bfd.Packet{State: bfd.Up, Multiplier: 3, Mine: 1, Yours: 2, Final: true}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := bfd.Parse(b)
		if err != nil {
			return
		}
		again, err := bfd.Parse(p.Append(nil))
		if err != nil || again != p {
			t.Errorf("Parse(Append(%+v)) = %+v, %v", p, again, err)
		}
		s := bfd.NewSession(settings, 7)
		s.Receive(time.Unix(0, 0), p)
		s.Expire(time.Unix(1, 0))
		if s.Interval() < 0 {
			t.Errorf("interval = %v after %+v", s.Interval(), p)
		}
	})
}
