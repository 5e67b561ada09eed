package bgp

import "testing"

// TestEndedBeforeStart proves that a router that the spec named no more before its session
// was started gets none: Run starts those that it saw, and an Apply may come in between.
func TestEndedBeforeStart(t *testing.T) {
	p := newPeer(New(Options{Self: "east-1"}), peerConfig{name: "127.77.0.9"})
	p.end(errRemoved)
	p.start(t.Context())
	select {
	case <-p.done:
	default:
		t.Error("a session that was ended is open")
	}
	p.end(errShutdown) // ends twice as well as once
	if got := p.now.State; got != stateIdle {
		t.Errorf("the session is %s, want %s", got, stateIdle)
	}
}
