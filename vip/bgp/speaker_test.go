package bgp_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"portico/internal/handover"
	"portico/internal/testkit"
	"portico/spec"
	"portico/vip/bgp"
)

// site is a spec with one node of AS 65001 and its routers.
func site(peers ...spec.BGPPeer) *spec.Spec {
	return &spec.Spec{Sites: []spec.Site{{
		Name:  "east",
		Nodes: []spec.Node{{Name: "east-1", Address: netip.MustParseAddr("127.77.0.2"), Roles: []spec.Role{spec.RoleVIP, spec.RoleL4}}},
		L4:    spec.SiteL4{Datapath: spec.DatapathXDP},
		BGP:   &spec.BGP{AS: 65001, Peers: peers, GracefulRestart: spec.Duration(10 * time.Second)},
	}}}
}

// outlives is what a node says whose kernel carries all that it is asked to.
func outlives(want *spec.Spec) bool { return want.Sites[0].L4.Datapath == spec.DatapathXDP }

func peer(r *router, as uint32) spec.BGPPeer {
	return spec.BGPPeer{Address: r.Addr.Addr(), Port: r.Addr.Port(), AS: as, HoldTime: spec.Duration(9 * time.Second)}
}

// start runs a speaker with a spec until the test ends.
func start(tb testing.TB, o bgp.Options, want *spec.Spec) *bgp.Speaker {
	tb.Helper()
	o.Self, o.Outlives = "east-1", outlives
	s := bgp.New(o)
	if err := s.Apply(want); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return s
}

func route(prefix string, carries spec.VIPRoutes) bgp.Route {
	return bgp.Route{Prefix: netip.MustParsePrefix(prefix), Carries: carries}
}

func announce(tb testing.TB, s *bgp.Speaker, routes ...bgp.Route) {
	tb.Helper()
	if err := s.Announce(routes); err != nil {
		tb.Fatal(err)
	}
}

// knows waits until a router knows these routes and no others.
func knows(tb testing.TB, r *router, want map[string]told) {
	tb.Helper()
	testkit.Poll(tb, bound, func() error {
		if diff := cmp.Diff(want, r.snapshot()); diff != "" {
			return fmt.Errorf("the router knows other routes (-want +got):\n%s", diff)
		}
		return nil
	})
}

func isEstablished(s *bgp.Speaker) error {
	for _, p := range s.Peers() {
		if p.State != "established" {
			return fmt.Errorf("peer = %+v, want established", p)
		}
	}
	return nil
}

// TestAnnounce proves that routers of another and of our own system hear of the
// routes of both families with what they carry, of changes alone, and of the end.
func TestAnnounce(t *testing.T) {
	testkit.NoLeaks(t)
	outer, inner := listen(t, "127.77.0.1:0"), listen(t, "127.77.0.3:0")
	inner.Open = func(*packet.BGPOpen) *packet.BGPMessage {
		return openOf(65001, 9, packet.RF_IPv4_UC, packet.RF_IPv6_UC)
	}
	s := start(t, bgp.Options{}, site(peer(outer, 65000), peer(inner, 65001)))
	carries := spec.VIPRoutes{
		Communities: []string{"65001:7", "no-export", "65001:1:2", "65001:7"},
		MED:         new(uint32(50)), LocalPref: new(uint32(200)),
	}
	four, six := route("198.18.0.1/32", carries), route("2001:db8::1/128", spec.VIPRoutes{})
	announce(t, s, four, six)
	communities := []uint32{65001<<16 | 7, 0xffffff01}
	knows(t, outer, map[string]told{
		"198.18.0.1/32":   {NextHop: "127.77.0.2", Path: "65001", MED: 50, Communities: communities, Large: []string{"65001:1:2"}},
		"2001:db8::1/128": {NextHop: "::1", Path: "65001"},
	})
	knows(t, inner, map[string]told{
		"198.18.0.1/32":   {NextHop: "127.77.0.2", MED: 50, Pref: 200, Communities: communities, Large: []string{"65001:1:2"}},
		"2001:db8::1/128": {NextHop: "::1", Pref: 100},
	})
	testkit.Poll(t, bound, func() error {
		if told, of, why := s.Told(netip.MustParseAddr("2001:db8::1")); told != 2 || of != 2 || why != "" {
			return fmt.Errorf("told %d of %d, %q, want both", told, of, why)
		}
		return nil
	})
	for _, p := range s.Peers() {
		if p.State != "established" || p.Routes != 2 || p.Reason != "" {
			t.Errorf("peer = %+v, want established with 2 routes", p)
		}
	}

	if told, _, why := s.Told(netip.MustParseAddr("198.18.0.9")); told != 0 || why != "router 127.77.0.1: session established" {
		t.Errorf("Told = %d, %q for a route that is not announced", told, why)
	}

	// Again the same, then one leaves: nobody hears of the other again.
	before := outer.count()
	announce(t, s, six, four)
	four.Leaving = true
	announce(t, s, four, six)
	communities = append([]uint32{communities[0], 0xffff0000}, communities[1])
	knows(t, outer, map[string]told{
		"198.18.0.1/32":   {NextHop: "127.77.0.2", Path: "65001", MED: 50, Communities: communities, Large: []string{"65001:1:2"}},
		"2001:db8::1/128": {NextHop: "::1", Path: "65001"},
	})
	knows(t, inner, map[string]told{
		"198.18.0.1/32":   {NextHop: "127.77.0.2", MED: 50, Communities: communities, Large: []string{"65001:1:2"}},
		"2001:db8::1/128": {NextHop: "::1", Pref: 100},
	})
	announce(t, s, six)
	knows(t, outer, map[string]told{"2001:db8::1/128": {NextHop: "::1", Path: "65001"}})
	if got := outer.count() - before; got != 2 {
		t.Errorf("%d updates for a change and a withdrawal, want 2", got)
	}

	// A router that asks for all routes again gets them (RFC 2918).
	before = outer.count()
	outer.say(packet.NewBGPRouteRefreshMessage(packet.AFI_IP6, 0, packet.SAFI_UNICAST))
	testkit.Poll(t, bound, func() error {
		if outer.count() == before {
			return fmt.Errorf("no update after a route refresh")
		}
		return nil
	})
}

// TestMany proves that as many routes as a site may have fit into messages, and
// that a spec without BGP ends the sessions.
func TestMany(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	var routes []bgp.Route
	for i := range 1000 {
		routes = append(routes,
			route(fmt.Sprintf("198.18.%d.%d/32", i/256, i%256), spec.VIPRoutes{}),
			route(fmt.Sprintf("2001:db8::%x/128", i+1), spec.VIPRoutes{}))
	}
	announce(t, s, routes...)
	testkit.Poll(t, bound, func() error {
		if got := len(r.snapshot()); got != len(routes) {
			return fmt.Errorf("the router knows %d routes, want %d", got, len(routes))
		}
		return nil
	})
	if err := s.Apply(&spec.Spec{}); err != nil {
		t.Fatal(err)
	}
	knows(t, r, map[string]told{})
	if peers := s.Peers(); len(peers) != 0 {
		t.Errorf("peers = %+v, want none", peers)
	}
}

// TestApplyKeeps proves that a session whose router the spec names as before lives
// on, while others come, change and go.
func TestApplyKeeps(t *testing.T) {
	testkit.NoLeaks(t)
	stays, changes, comes := listen(t, "127.77.0.1:0"), listen(t, "127.77.0.3:0"), listen(t, "127.77.0.4:0")
	s := start(t, bgp.Options{}, site(peer(stays, 65000), peer(changes, 65000)))
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}))
	want := map[string]told{"198.18.0.1/32": {NextHop: "127.77.0.2", Path: "65001"}}
	knows(t, stays, want)
	knows(t, changes, want)
	slower := peer(changes, 65000)
	slower.HoldTime = spec.Duration(30 * time.Second)
	if err := s.Apply(site(peer(comes, 65000), peer(stays, 65000), slower)); err != nil {
		t.Fatal(err)
	}
	knows(t, comes, want)
	knows(t, changes, want)
	if n := stays.sessions(); n != 1 {
		t.Errorf("%d sessions with the router that stays, want 1", n)
	}
	if n := changes.sessions(); n != 2 {
		t.Errorf("%d sessions with the router that changes, want 2", n)
	}
}

// TestRouterRestarts proves that a session comes back with all routes when a router
// drops it, and that the loss is told.
func TestRouterRestarts(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}))
	want := map[string]told{"198.18.0.1/32": {NextHop: "127.77.0.2", Path: "65001"}}
	knows(t, r, want)
	r.drop()
	testkit.Poll(t, bound, func() error {
		if p := s.Peers()[0]; p.Reason != "the router closed the connection" && p.Reason != "the router reset the connection" {
			return fmt.Errorf("peer = %+v, want the reason of the loss", p)
		}
		return nil
	})
	testkit.Poll(t, bound, func() error { return isEstablished(s) })
	knows(t, r, want)
}

// TestReasons proves that people are told why there is no session, in words that
// name what to change.
func TestReasons(t *testing.T) {
	cease := func(code, subcode uint8, data []byte) func(*packet.BGPOpen) *packet.BGPMessage {
		return func(*packet.BGPOpen) *packet.BGPMessage { return packet.NewBGPNotificationMessage(code, subcode, data) }
	}
	cases := []struct {
		name string
		open func(*packet.BGPOpen) *packet.BGPMessage
		want string
	}{
		{"their AS is another", func(*packet.BGPOpen) *packet.BGPMessage { return openOf(65009, 9, packet.RF_IPv4_UC) }, "the router is AS 65009; the spec says 65000"},
		{"our AS is another", cease(2, 2, nil), "the router refuses AS 65001: it expects another one of this neighbor"},
		{"our identifier", cease(2, 3, nil), "the router refuses the identifier 127.77.0.2: somebody else has it"},
		{"shut down with words", cease(6, 2, append([]byte{5}, "later"...)), `the router ended the session: it was shut down there ("later")`},
		{"shut down with hostile words", cease(6, 2, append([]byte{200}, "later"...)), `the router ended the session: it was shut down there`},
		{"unknown neighbor", cease(6, 5, nil), "the router ended the session: it takes no connection of this neighbor"},
		{"hold time", func(*packet.BGPOpen) *packet.BGPMessage { return openOf(65000, 1) }, "the router asks for a hold time of 1 s; 3 s is the least"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r := listen(t, "127.77.0.1:0")
			r.Open = c.open
			s := start(t, bgp.Options{}, site(peer(r, 65000)))
			says(t, s, c.want)
		})
	}
}

// says waits until the first router's reason is this.
func says(tb testing.TB, s *bgp.Speaker, want string) {
	tb.Helper()
	testkit.Poll(tb, bound, func() error {
		if p := s.Peers()[0]; p.Reason != want {
			return fmt.Errorf("reason = %q, want %q", p.Reason, want)
		}
		return nil
	})
}

// TestNoRouter proves what people are told of a router that does not listen, or
// that hangs up.
func TestNoRouter(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	gone := peer(r, 65000)
	r.close()
	s := start(t, bgp.Options{}, site(gone))
	says(t, s, fmt.Sprintf("connection refused: BGP does not listen on port %d there", gone.Port))
}

// TestFamilies proves that a router that takes one family hears of that one, and
// people hear of the other.
func TestFamilies(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	r.Open = func(*packet.BGPOpen) *packet.BGPMessage { return openOf(65000, 9, packet.RF_IPv4_UC) }
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}), route("2001:db8::1/128", spec.VIPRoutes{}))
	knows(t, r, map[string]told{"198.18.0.1/32": {NextHop: "127.77.0.2", Path: "65001"}})
	says(t, s, "1 IPv6 routes not announced: the router does not take that family")
}

// TestOverIPv6 proves that both families go over a session of IPv6.
func TestOverIPv6(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "[::1]:0")
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}), route("2001:db8::1/128", spec.VIPRoutes{}))
	knows(t, r, map[string]told{
		"198.18.0.1/32":   {NextHop: "127.0.0.1", Path: "65001"},
		"2001:db8::1/128": {NextHop: "::1", Path: "65001"},
	})
}

// TestClose proves the two ways to go: for good, with the routes withdrawn and a
// reason; and to restart, without a word and with the routes left.
func TestClose(t *testing.T) {
	for name, planned := range map[string]bool{"for good": false, "to restart": true} {
		t.Run(name, func(t *testing.T) {
			testkit.NoLeaks(t)
			r := listen(t, "127.77.0.1:0")
			s := start(t, bgp.Options{}, site(peer(r, 65000)))
			announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}))
			want := map[string]told{"198.18.0.1/32": {NextHop: "127.77.0.2", Path: "65001"}}
			knows(t, r, want)
			s.Close(planned)
			r.idle()
			if !planned {
				want = map[string]told{}
			}
			if diff := cmp.Diff(want, r.snapshot()); diff != "" {
				t.Errorf("the router knows other routes (-want +got):\n%s", diff)
			}
			if got := r.cease(); (got == packet.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN) == planned {
				t.Errorf("cease with subcode %d", got)
			}
			if err := s.Apply(site()); err == nil {
				t.Error("Apply after Close gave no error")
			}
		})
	}
}

// TestHandOver proves that a speaker whose context ends for a successor goes as for a
// planned restart.
func TestHandOver(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	s := bgp.New(bgp.Options{Self: "east-1", Outlives: outlives})
	if err := s.Apply(site(peer(r, 65000))); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}))
	want := map[string]told{"198.18.0.1/32": {NextHop: "127.77.0.2", Path: "65001"}}
	knows(t, r, want)
	end(handover.Err)
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.idle()
	if diff := cmp.Diff(want, r.snapshot()); diff != "" || r.cease() != 0 {
		t.Errorf("the router was told of a cease (%d) or a withdrawal (-want +got):\n%s", r.cease(), diff)
	}
}

// TestRestartOrder proves that a planned restart is over only once the router has
// ended the connection: AdminDown is said after it, and a router that hears of that
// first drops the routes.
func TestRestartOrder(t *testing.T) {
	testkit.NoLeaks(t)
	heard, release := make(chan struct{}), make(chan struct{})
	r := listen(t, "127.77.0.1:0")
	r.Ending = func() { close(heard); <-release }
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	testkit.Poll(t, bound, func() error { return isEstablished(s) })
	closed := make(chan struct{})
	go func() { s.Close(true); close(closed) }()
	<-heard
	select {
	case <-closed:
		t.Error("the speaker is closed before the router has ended the connection")
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	<-closed
}

// TestRestarted proves that a node that comes back says so, and lets the router keep
// old routes until it knows its own again.
func TestRestarted(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	testkit.Poll(t, bound, func() error { return isEstablished(s) })
	if flags := r.restart(); flags != 0x8 {
		t.Errorf("flags of graceful restart = %#x, want restarting alone", flags)
	}
	if r.endsOf(packet.RF_IPv4_UC) != 0 {
		t.Error("the routes ended before there were any")
	}
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}))
	testkit.Poll(t, bound, func() error {
		if four, six := r.endsOf(packet.RF_IPv4_UC), r.endsOf(packet.RF_IPv6_UC); four != 1 || six != 1 {
			return fmt.Errorf("%d and %d ends of routes, want one each", four, six)
		}
		return nil
	})
	r.drop()
	testkit.Poll(t, bound, func() error {
		if n := r.sessions(); n != 2 {
			return fmt.Errorf("%d sessions, want 2", n)
		}
		return nil
	})
	if flags := r.restart(); flags != 0 {
		t.Errorf("flags of graceful restart = %#x in the second session, want none", flags)
	}

	// A relay ends with its process, and so must its routes.
	relay := site(peer(r, 65000))
	relay.Sites[0].L4.Datapath = spec.DatapathRelay
	if err := s.Apply(relay); err != nil {
		t.Fatal(err)
	}
	testkit.Poll(t, bound, func() error {
		if n := r.sessions(); n != 3 {
			return fmt.Errorf("%d sessions, want 3", n)
		}
		return nil
	})
	if flags := r.restart(); flags != 0xff {
		t.Errorf("flags of graceful restart = %#x with a relay, want no such capability", flags)
	}
}

// TestNotKept proves that routers are not asked to keep the routes of a node whose
// flows end with its process.
func TestNotKept(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	want := site(peer(r, 65000))
	want.Sites[0].L4.Datapath = spec.DatapathRelay
	s := start(t, bgp.Options{}, want)
	testkit.Poll(t, bound, func() error { return isEstablished(s) })
	if flags := r.restart(); flags != 0xff {
		t.Errorf("flags of graceful restart = %#x, want none", flags)
	}
}

// TestFullTable proves that a router may send a table of the whole internet, and
// the node keeps nothing of it.
func TestFullTable(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	s := start(t, bgp.Options{}, site(peer(r, 65000)))
	announce(t, s)
	testkit.Poll(t, bound, func() error { return isEstablished(s) })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r.sendTable(t, 200_000)
	announce(t, s, route("198.18.0.1/32", spec.VIPRoutes{}))
	knows(t, r, map[string]told{"198.18.0.1/32": {NextHop: "127.77.0.2", Path: "65001"}})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if err := isEstablished(s); err != nil {
		t.Error(err)
	}
}

// TestTwoNodes proves that two nodes of one process speak to one router, each from
// its own address.
func TestTwoNodes(t *testing.T) {
	testkit.NoLeaks(t)
	r := listen(t, "127.77.0.1:0")
	one := start(t, bgp.Options{}, site(peer(r, 65000)))
	want := site(peer(r, 65000))
	want.Sites[0].Nodes[0].Address = netip.MustParseAddr("127.77.0.9")
	two := start(t, bgp.Options{}, want)
	for _, s := range []*bgp.Speaker{one, two} {
		testkit.Poll(t, bound, func() error { return isEstablished(s) })
	}
	from := strings.Join(r.remotes(), " ")
	if !strings.Contains(from, "127.77.0.2:") || !strings.Contains(from, "127.77.0.9:") {
		t.Errorf("sessions from %s, want from both nodes", from)
	}
}

// TestRefusedRoute proves that a route that nobody could announce changes nothing.
func TestRefusedRoute(t *testing.T) {
	s := bgp.New(bgp.Options{Self: "east-1"})
	for _, r := range []bgp.Route{{}, route("198.18.0.1/32", spec.VIPRoutes{Communities: []string{"65001"}})} {
		if err := s.Announce([]bgp.Route{r}); err == nil {
			t.Errorf("Announce(%+v) gave no error", r)
		}
	}
	if got := s.Peers(); len(got) != 0 {
		t.Errorf("Peers() = %v, want none", got)
	}
}
