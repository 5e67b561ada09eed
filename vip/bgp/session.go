package bgp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"portico/internal/clock"
	"portico/vip/bgp/onlink"
)

// dialTimeout bounds a connect; a router that drops SYN segments does not answer at
// all, as one with another password does.
const dialTimeout = 4 * time.Second

// openTimeout bounds the time from a connection to an established session (RFC
// 4271, section 8.2.2, says four minutes; routers need milliseconds).
const openTimeout = 30 * time.Second

// writeTimeout bounds a write: a router that takes nothing for so long is lost.
const writeTimeout = 5 * time.Second

// hangUpBound is how long a router may take to notice that a connection ended.
const hangUpBound = time.Second

// session is one connection with a router.
type session struct {
	p        *peer
	conn     net.Conn
	in       *bufio.Reader
	local    netip.Addr
	restarts bool // our OPEN said so
	o        opened
	sent     paths
	whole    bool // the end of the routes was sent

	heard chan uint8    // types of messages that came
	ended chan error    // why no more can come; holds one
	stop  chan struct{} // ends the reader, with the connection
	reads sync.WaitGroup
}

// session runs one session from connect to end, and says whether it was ever
// established and why it ended.
func (p *peer) session(ctx context.Context) (established bool, why error) {
	p.set(stateConnect, "")
	conn, err := p.dial(ctx)
	if err != nil {
		return false, errors.New(dialWords(p.config, err))
	}
	s := &session{
		p: p, conn: conn, in: bufio.NewReader(conn), sent: paths{},
		heard: make(chan uint8), ended: make(chan error, 1), stop: make(chan struct{}),
	}
	defer s.close()
	s.local = conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	p.mu.Lock()
	s.restarts = p.restarting
	p.mu.Unlock()
	if err := s.open(ctx); err != nil {
		return false, s.notify(err)
	}
	return true, s.notify(s.serve(ctx))
}

// close ends the connection and the reader.
func (s *session) close() {
	close(s.stop)
	_ = s.conn.Close()
	s.reads.Wait()
}

func (p *peer) dial(ctx context.Context) (net.Conn, error) {
	to, err := p.find(ctx)
	if err != nil {
		return nil, err
	}
	p.router = to.address
	local, err := source(to, to.address)
	if err != nil {
		return nil, err
	}
	p.bury(ctx, local)
	d := net.Dialer{
		Timeout: dialTimeout, KeepAlive: -1,
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0)),
		Control:   func(_, _ string, raw syscall.RawConn) error { return prepare(to, raw) },
	}
	return d.DialContext(ctx, "tcp", netip.AddrPortFrom(to.address, to.port).String())
}

// findTimeout bounds the search for a router on a link: longer than one may take to
// answer (RFC 4861, section 6.2.6).
const findTimeout = 4 * time.Second

// find is the peer's configuration with the router's address; that of an unnumbered
// one is looked for anew each time, and thereby told ours again: it may have restarted.
func (p *peer) find(ctx context.Context) (peerConfig, error) {
	c := p.config
	if c.address.IsValid() {
		return c, nil
	}
	var err error
	c.address, err = onlink.Find(ctx, c.link, findTimeout)
	return c, err
}

// open exchanges OPEN and KEEPALIVE.
func (s *session) open(ctx context.Context) error {
	c := s.p.config
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = s.conn.SetDeadline(clock.Now().Add(openTimeout))
	s.p.set(stateOpenSent, "")
	if err := s.write(openMessage(c, s.local, s.restarts)); err != nil {
		return s.silent(stateOpenSent, err)
	}
	m, err := s.expect(stateOpenSent, bgp.BGP_MSG_OPEN)
	if err != nil {
		return err
	}
	if s.o, err = agree(c, m.Body.(*bgp.BGPOpen)); err != nil {
		return err
	}
	s.p.set(stateOpenConfirm, "")
	if err := s.write(bgp.NewBGPKeepAliveMessage()); err != nil {
		return s.silent(stateOpenConfirm, err)
	}
	if _, err = s.expect(stateOpenConfirm, bgp.BGP_MSG_KEEPALIVE); err != nil {
		return err
	}
	return s.conn.SetDeadline(time.Time{})
}

// expect reads the one message that this state allows.
func (s *session) expect(state string, kind uint8) (*bgp.BGPMessage, error) {
	m, err := readMessage(s.in)
	switch {
	case err != nil:
		return nil, s.silent(state, err)
	case m.Header.Type == bgp.BGP_MSG_NOTIFICATION:
		return nil, &notified{notificationWords(s.p.config, m.Body.(*bgp.BGPNotification))}
	case m.Header.Type != kind:
		return nil, refuse(bgp.BGP_ERROR_FSM_ERROR, 0, "the router sent a message of type %d in state %s", m.Header.Type, state)
	}
	return m, nil
}

// silent puts an end without a NOTIFICATION into words; a message that cannot be
// read is refused in its own.
func (s *session) silent(state string, err error) error {
	if _, ok := errors.AsType[*refusal](err); ok {
		return err
	}
	return errors.New(silentEnd(s.p.config, s.conn.LocalAddr(), state, err))
}

// serve announces routes until something ends the session.
func (s *session) serve(ctx context.Context) error {
	select {
	case <-s.p.down: // of before this session
	default:
	}
	s.p.set(stateEstablished, "")
	s.p.log.Info("bgp session established", "address", s.local, "hold", s.o.hold, "restarting", s.restarts)
	s.p.watchOver(s.local)
	s.reads.Go(func() { s.ended <- s.read() })
	s.p.wake()
	tick, stop := ticks(s.o.hold / 3) // RFC 4271, section 4.4
	defer stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return s.leave(context.Cause(ctx))
		case <-s.p.down:
			return errBFD
		case err = <-s.ended:
			return err
		case kind := <-s.heard:
			if kind == bgp.BGP_MSG_ROUTE_REFRESH {
				s.sent, s.whole = paths{}, false
				err = s.flush()
			}
		case <-s.p.changed:
			err = s.flush()
		case <-tick:
			if err = s.write(bgp.NewBGPKeepAliveMessage()); err == nil {
				err = s.flush() // addresses of the link may have changed
			}
		}
		if err != nil {
			return s.silent(stateEstablished, err)
		}
	}
}

// read takes what the router sends; silence for the hold time ends it. What it
// announces is not kept.
func (s *session) read() error {
	for {
		if s.o.hold > 0 {
			_ = s.conn.SetReadDeadline(clock.Now().Add(s.o.hold))
		}
		m, err := readMessage(s.in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return refuse(bgp.BGP_ERROR_HOLD_TIMER_EXPIRED, 0, "the router said nothing for %v", s.o.hold)
		case err != nil:
			return s.silent(stateEstablished, err)
		case m.Header.Type == bgp.BGP_MSG_NOTIFICATION:
			return &notified{notificationWords(s.p.config, m.Body.(*bgp.BGPNotification))}
		case m.Header.Type == bgp.BGP_MSG_OPEN:
			return refuse(bgp.BGP_ERROR_FSM_ERROR, 0, "the router opened an established session again")
		}
		select {
		case s.heard <- m.Header.Type:
		case <-s.stop:
			return nil
		}
	}
}

// flush tells the router what it does not know yet.
func (s *session) flush() error {
	routes, known := s.p.speaker.announced()
	if !known {
		return nil
	}
	hops := hopsOn(s.local, linkOf(s.local), routes, s.o)
	want := wanted(routes, s.p.config, s.o, hops)
	if err := s.write(updates(s.sent, want)...); err != nil {
		return err
	}
	s.sent = want
	s.p.told(want, missing(routes, s.o, hops))
	if s.whole {
		return nil
	}
	s.whole = true
	s.p.mu.Lock()
	s.p.restarting = false
	s.p.mu.Unlock()
	return s.endOfRoutes()
}

// endOfRoutes says that the router may forget what it kept over a restart (RFC
// 4724, section 2).
func (s *session) endOfRoutes() error {
	for _, f := range families() {
		if s.o.families[f] {
			if err := s.write(bgp.NewEndOfRib(f)); err != nil {
				return err
			}
		}
	}
	return nil
}

// missing says which routes a router is not told of, and why.
func missing(routes []Route, o opened, hops map[bgp.Family]nextHops) string {
	var why []string
	for _, f := range families() {
		name := map[bgp.Family]string{bgp.RF_IPv4_UC: "IPv4", bgp.RF_IPv6_UC: "IPv6"}[f]
		count := 0
		for _, r := range routes {
			if familyOf(r.Prefix.Addr()) == f {
				count++
			}
		}
		_, hop := hops[f]
		switch {
		case count == 0:
		case !o.families[f]:
			why = append(why, fmt.Sprintf("%d %s routes not announced: the router does not take that family", count, name))
		case !hop:
			why = append(why, fmt.Sprintf("%d %s routes not announced: no %s address on the link to it", count, name, name))
		}
	}
	return strings.Join(why, "; ")
}

// leave ends an established session for a reason of ours.
func (s *session) leave(why error) error {
	if errors.Is(why, errRestart) {
		s.hangUp()
		return why
	}
	_ = s.write(updates(s.sent, nil)...)
	return why
}

// hangUp ends our half of the connection, and waits until the router has ended its
// own. By then it knows of the restart and keeps the routes, and BFD may say
// AdminDown; a busy router that hears of that first drops them.
func (s *session) hangUp() {
	half, ok := s.conn.(*net.TCPConn)
	if !ok || half.CloseWrite() != nil {
		return
	}
	bound := time.NewTimer(hangUpBound)
	defer bound.Stop()
	for {
		select {
		case <-s.heard: // what was on its way
		case why := <-s.ended:
			s.p.log.Debug("the router has ended its half", "reason", why)
			return
		case <-bound.C:
			return
		}
	}
}

// notify sends the NOTIFICATION that a reason calls for.
func (s *session) notify(why error) error {
	if r, ok := errors.AsType[*refusal](why); ok {
		_ = s.write(bgp.NewBGPNotificationMessage(r.code, r.subcode, r.data))
		return why
	}
	subcode := uint8(0)
	switch {
	case errors.Is(why, errShutdown):
		subcode = bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN
	case errors.Is(why, errRemoved):
		subcode = bgp.BGP_ERROR_SUB_PEER_DECONFIGURED
	case errors.Is(why, errBFD):
		subcode = bfdDownSubcode
	default:
		return why
	}
	_ = s.write(bgp.NewBGPNotificationMessage(bgp.BGP_ERROR_CEASE, subcode, nil))
	return why
}

func (s *session) write(messages ...*bgp.BGPMessage) error {
	var out []byte
	for _, m := range messages {
		b, err := m.Serialize()
		if err != nil {
			return fmt.Errorf("pack a message of type %d: %w", m.Header.Type, err)
		}
		out = append(out, b...)
	}
	if len(out) == 0 {
		return nil
	}
	_ = s.conn.SetWriteDeadline(clock.Now().Add(writeTimeout))
	_, err := s.conn.Write(out)
	return err
}

// ticks ticks every so often, and never for 0.
func ticks(every time.Duration) (<-chan time.Time, func()) {
	if every <= 0 {
		return nil, func() {}
	}
	t := time.NewTicker(every)
	return t.C, t.Stop
}
