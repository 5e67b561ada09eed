package bgp_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// router is a small BGP router that listens, answers and remembers what it is told:
// as much as sessions need, and what a real router does not do on demand.
type router struct {
	Addr netip.AddrPort
	// Open is what it answers with; nil means as AS 65000 with all that we know.
	Open func(theirs *bgp.BGPOpen) *bgp.BGPMessage
	// Ending is called when the other end of a connection ended, before it is closed;
	// nil means nothing is done.
	Ending func()

	tb       testing.TB
	listener net.Listener
	handling sync.WaitGroup

	mu       sync.Mutex // guards what follows
	conns    []net.Conn
	opens    []*bgp.BGPOpen
	routes   map[string]told
	ends     map[bgp.Family]int // of routes
	notified []*bgp.BGPNotification
	updates  int
}

// told is a route as the router was told it.
type told struct {
	NextHop     string
	Path        string
	MED, Pref   uint32 // 0 for none
	Communities []uint32
	Large       []string
}

// listen starts a router on a loopback address.
func listen(tb testing.TB, at string) *router {
	tb.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		tb.Fatal(err)
	}
	r := &router{
		Addr: l.Addr().(*net.TCPAddr).AddrPort(), tb: tb, listener: l,
		routes: map[string]told{}, ends: map[bgp.Family]int{},
	}
	r.handling.Go(r.accept)
	tb.Cleanup(r.close)
	return r
}

func (r *router) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.conns = append(r.conns, conn)
		r.mu.Unlock()
		r.handling.Go(func() { r.handle(conn) })
	}
}

// close ends the router.
func (r *router) close() {
	_ = r.listener.Close()
	r.drop()
	r.handling.Wait()
}

// drop ends all connections without a word.
func (r *router) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// say sends a message on the last connection.
func (r *router) say(m *bgp.BGPMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.conns) == 0 {
		r.tb.Error("the router has no connection")
		return
	}
	send(r.conns[len(r.conns)-1], m)
}

func send(conn net.Conn, m *bgp.BGPMessage) {
	b, err := m.Serialize()
	if err == nil {
		_, _ = conn.Write(b)
	}
}

func (r *router) handle(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		m, err := receive(in)
		if err != nil {
			if r.Ending != nil {
				r.Ending()
			}
			return
		}
		switch body := m.Body.(type) {
		case *bgp.BGPOpen:
			r.mu.Lock()
			r.opens = append(r.opens, body)
			r.routes, r.ends = map[string]told{}, map[bgp.Family]int{}
			r.mu.Unlock()
			answer := answerOpen
			if r.Open != nil {
				answer = r.Open
			}
			if m := answer(body); m != nil {
				send(conn, m)
			}
			send(conn, bgp.NewBGPKeepAliveMessage())
		case *bgp.BGPKeepAlive:
			send(conn, bgp.NewBGPKeepAliveMessage())
		case *bgp.BGPUpdate:
			r.take(body)
		case *bgp.BGPNotification:
			r.mu.Lock()
			r.notified = append(r.notified, body)
			r.mu.Unlock()
		}
	}
}

// answerOpen is AS 65000 with both families and graceful restart.
func answerOpen(*bgp.BGPOpen) *bgp.BGPMessage {
	return openOf(65000, 9, bgp.RF_IPv4_UC, bgp.RF_IPv6_UC)
}

func openOf(as uint32, hold uint16, families ...bgp.Family) *bgp.BGPMessage {
	caps := []bgp.ParameterCapabilityInterface{bgp.NewCapFourOctetASNumber(as), bgp.NewCapRouteRefresh(), bgp.NewCapGracefulRestart(false, false, 10, nil)}
	for _, f := range families {
		caps = append(caps, bgp.NewCapMultiProtocol(f))
	}
	m, err := bgp.NewBGPOpenMessage(uint16(min(as, 23456)), hold, netip.MustParseAddr("192.0.2.1"),
		[]bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(caps)})
	if err != nil {
		panic(err)
	}
	return m
}

func (r *router) take(u *bgp.BGPUpdate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if end, family := u.IsEndOfRib(); end {
		r.ends[family]++
		return
	}
	r.updates++
	for _, n := range u.WithdrawnRoutes {
		delete(r.routes, n.NLRI.String())
	}
	route := told{}
	nlri := u.NLRI
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeNextHop:
			route.NextHop = a.Value.String()
		case *bgp.PathAttributeAsPath:
			route.Path = bgp.AsPathString(a)
		case *bgp.PathAttributeMultiExitDisc:
			route.MED = a.Value
		case *bgp.PathAttributeLocalPref:
			route.Pref = a.Value
		case *bgp.PathAttributeCommunities:
			route.Communities = a.Value
		case *bgp.PathAttributeLargeCommunities:
			for _, l := range a.Values {
				route.Large = append(route.Large, l.String())
			}
		case *bgp.PathAttributeMpReachNLRI:
			route.NextHop, nlri = a.Nexthop.String(), a.Value
		case *bgp.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				delete(r.routes, n.NLRI.String())
			}
		}
	}
	for _, n := range nlri {
		r.routes[n.NLRI.String()] = route
	}
}

// snapshot is what the router knows now.
func (r *router) snapshot() map[string]told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.routes)
}

func receive(in io.Reader) (*bgp.BGPMessage, error) {
	b := make([]byte, 19, 4096)
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	b = b[:binary.BigEndian.Uint16(b[16:])]
	if _, err := io.ReadFull(in, b[19:]); err != nil {
		return nil, err
	}
	return bgp.ParseBGPMessage(b)
}

// bound is against hanging.
const bound = 30 * time.Second

// count is how many messages with routes came.
func (r *router) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.updates
}

// sessions is how many were opened.
func (r *router) sessions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.opens)
}

// endsOf is how often the end of a family's routes came in the last session.
func (r *router) endsOf(f bgp.Family) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ends[f]
}

// restart is the flags of graceful restart in the last OPEN; 0xff for none.
func (r *router) restart() uint8 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.opens[len(r.opens)-1].OptParams {
		for _, c := range p.(*bgp.OptionParameterCapability).Capability {
			if g, ok := c.(*bgp.CapGracefulRestart); ok {
				return g.Flags
			}
		}
	}
	return 0xff
}

// cease is the subcode of the last Cease; 0 for none.
func (r *router) cease() uint8 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.notified) == 0 {
		return 0
	}
	return r.notified[len(r.notified)-1].ErrorSubcode
}

// idle waits until every connection ended.
func (r *router) idle() {
	_ = r.listener.Close()
	r.handling.Wait()
}

func (r *router) remotes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, c := range r.conns {
		list = append(list, c.RemoteAddr().String())
	}
	return list
}

// sendTable announces routes that nobody asked for.
func (r *router) sendTable(tb testing.TB, routes int) {
	tb.Helper()
	r.mu.Lock()
	conn := r.conns[len(r.conns)-1]
	r.mu.Unlock()
	hop, _ := bgp.NewPathAttributeNextHop(r.Addr.Addr())
	path := bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(2, []uint32{65000, 64999, 64998})})
	for i := 0; i < routes; i += 500 {
		var nlri []bgp.PathNLRI
		for j := i; j < i+500; j++ {
			n, err := bgp.NewIPAddrPrefix(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(j>>16) + 1, byte(j >> 8), byte(j), 0}), 24))
			if err != nil {
				tb.Fatal(err)
			}
			nlri = append(nlri, bgp.PathNLRI{NLRI: n})
		}
		send(conn, bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{bgp.NewPathAttributeOrigin(0), path, hop}, nlri))
	}
}
