package bgp

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"portico/internal/clock"
	"portico/spec/status"
	"portico/vip/bgp/bfd"
)

// The states of a session (RFC 4271, section 8.2.2). Active is not among them: it
// is for those who listen.
const (
	stateIdle        = "idle"
	stateConnect     = "connect"
	stateOpenSent    = "opensent"
	stateOpenConfirm = "openconfirm"
	stateEstablished = "established"
)

// Between two tries the wait doubles, so that a router that restarts is back within
// seconds and one that refuses is not pestered.
const (
	retryMin = time.Second
	retryMax = 8 * time.Second
)

// errBFD ends a session whose router does not answer BFD any more.
var errBFD = errors.New("BFD says that the router is gone")

// peer is one router: a goroutine that keeps a session with it.
type peer struct {
	config  peerConfig
	speaker *Speaker
	log     *slog.Logger

	router  netip.Addr    // its address, by the last search for it; of run alone
	changed chan struct{} // routes changed; holds one
	down    chan struct{} // BFD lost the router; holds one

	mu         sync.Mutex // guards what follows
	now        status.Peer
	sent       paths // what the established session told; nil without one
	losses     int   // sessions that were established and ended unasked
	restarting bool  // until a router has the routes of before the restart again
	watch      *bfd.Watch
	ends       [2]netip.Addr           // of watch: ours and the router's
	cancel     context.CancelCauseFunc // nil before start and end
	done       chan struct{}
}

func newPeer(s *Speaker, c peerConfig) *peer {
	return &peer{
		config: c, speaker: s, restarting: c.graceful > 0,
		log:     s.o.Log.With("peer", c.name),
		changed: make(chan struct{}, 1), down: make(chan struct{}, 1), done: make(chan struct{}),
		now: status.Peer{Address: c.name, AS: c.remoteAS, State: stateIdle, Since: clock.Now()},
	}
}

// start starts the goroutine; once.
func (p *peer) start(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel == nil {
		ctx, p.cancel = context.WithCancelCause(ctx)
		go p.run(ctx)
	}
}

// end ends the session for a reason of ours, and waits. One that was not started never
// will be.
func (p *peer) end(why error) {
	p.mu.Lock()
	if p.cancel == nil {
		p.cancel = func(error) {}
		close(p.done)
	}
	cancel := p.cancel
	p.mu.Unlock()
	cancel(why)
	<-p.done
}

// wake lets the session look at the routes again.
func (p *peer) wake() { poke(p.changed) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run opens a session again and again until ctx ends.
func (p *peer) run(ctx context.Context) {
	defer close(p.done)
	// AdminDown comes after the connection ended, within the time of detection: FRR
	// takes it for a loss while the session is established, and drops the routes.
	defer p.unwatch()
	wait := retryMin
	for ctx.Err() == nil {
		established, err := p.session(ctx)
		if ctx.Err() != nil {
			p.set(stateIdle, context.Cause(ctx).Error())
			return
		}
		if established {
			wait = retryMin
		}
		p.lost(established, err)
		retry := time.NewTimer(wait)
		select {
		case <-retry.C:
		case <-ctx.Done():
		}
		retry.Stop()
		wait = min(2*wait, retryMax)
	}
	p.set(stateIdle, context.Cause(ctx).Error())
}

// lost notes why there is no session.
func (p *peer) lost(established bool, err error) {
	p.mu.Lock()
	known := p.now.Reason == err.Error()
	if established {
		p.losses++
	}
	p.mu.Unlock()
	p.set(stateIdle, err.Error())
	if established || !known {
		p.log.Warn("no bgp session", "reason", err)
	}
}

// set notes the state; an empty reason leaves the one of before, which is why the
// session is not yet established.
func (p *peer) set(state, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.State != state {
		p.now.State, p.now.Since = state, clock.Now()
	}
	if state != stateEstablished {
		p.now.Routes, p.sent = 0, nil
	}
	if reason != "" || state == stateEstablished {
		p.now.Reason = reason
	}
}

// told notes what an established session announces, and what keeps it from more.
// The paths are not changed any more.
func (p *peer) told(sent paths, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.now.Routes, p.now.Reason = sent, len(sent), reason
}

// knows reports whether the router was told of a route, or why not.
func (p *peer) knows(prefix netip.Prefix) (yes bool, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, yes = p.sent[prefix]
	why = p.now.Reason
	if why == "" {
		why = "session " + p.now.State
	}
	return yes, why
}

func (p *peer) status() status.Peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now
	if p.watch != nil {
		now.BFD = p.watch.State().String()
	} else if p.config.bfd.Interval > 0 {
		now.BFD = bfd.Down.String()
	}
	return now
}

// watching is the session of BFD with the router from an address of ours.
func (p *peer) watching(local netip.Addr) bfd.Options {
	return bfd.Options{
		Settings: bfd.Settings{Interval: p.config.bfd.Interval.D(), Multiplier: p.config.bfd.Multiplier},
		Local:    local, Remote: p.router, Hops: p.config.hops,
		Changed: func(s bfd.State, lost bool) {
			p.log.Info("bfd session changed", "state", s.String(), "lost", lost)
			if lost {
				poke(p.down)
			}
		},
	}
}

// A router that holds a session sends a packet a second at least; what becomes of the
// end of that session it does in milliseconds.
const (
	buryMax = 1500 * time.Millisecond
	buried  = 200 * time.Millisecond
)

// bury ends the BFD session of a process that was killed before BGP begins: were it
// to end later, the router would take that for a loss of this process.
func (p *peer) bury(ctx context.Context, local netip.Addr) {
	p.mu.Lock()
	needed := p.restarting && p.watch == nil && p.config.bfd.Interval > 0
	p.mu.Unlock()
	if !needed {
		return
	}
	if err := p.speaker.bfd.Bury(ctx, p.watching(local), buryMax); err != nil {
		p.log.Warn("no bfd session", "reason", err)
	}
	wait := time.NewTimer(buried)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}

// watchOver starts BFD with the router; an error does not keep the routes from it.
func (p *peer) watchOver(local netip.Addr) {
	if p.config.bfd.Interval == 0 {
		return
	}
	ends := [2]netip.Addr{local, p.router}
	p.mu.Lock()
	watched := p.watch != nil && p.ends == ends
	p.mu.Unlock()
	if watched {
		return
	}
	p.unwatch()
	watch, err := p.speaker.bfd.Watch(p.watching(local))
	if err != nil {
		p.log.Warn("no bfd session", "reason", err)
		return
	}
	p.mu.Lock()
	p.watch, p.ends = watch, ends
	p.mu.Unlock()
}

func (p *peer) unwatch() {
	p.mu.Lock()
	watch := p.watch
	p.watch = nil
	p.mu.Unlock()
	if watch != nil {
		watch.Close()
	}
}
