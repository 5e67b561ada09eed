package node

import (
	"log/slog"
	"net/netip"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"portico/spec"
)

// withoutCapabilities runs on a thread that has none and that ends with it.
func withoutCapabilities(t *testing.T, run func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks it
		header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
		err := unix.Capset(&header, &none[0])
		if err == nil {
			run()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// announced is a site with a VIP that routers are told of, and one that they are not.
func announced(path spec.Datapath, listeners ...spec.Listener) *spec.Spec {
	want := &spec.Spec{
		Sites: []spec.Site{{
			Name:  "edge",
			Nodes: []spec.Node{{Name: "one", Address: netip.MustParseAddr("127.0.0.1"), Roles: []spec.Role{spec.RoleVIP, spec.RoleL4}}},
			L4:    spec.SiteL4{Datapath: path},
			BGP:   &spec.BGP{AS: 65001},
		}},
		VIPs: []spec.VIP{
			{Name: "public", Announce: spec.AnnounceBGP, Addresses: map[spec.SiteName][]netip.Addr{"edge": {netip.MustParseAddr("198.18.9.1")}}},
			{Name: "routed", Announce: spec.AnnounceNone, Addresses: map[spec.SiteName][]netip.Addr{"edge": {netip.MustParseAddr("198.18.9.2")}}},
		},
		TargetGroups: []spec.TargetGroup{{
			Name: "db", Balance: &spec.Choice{Name: "maglev"}, Targets: []spec.Target{{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort("198.18.9.9:5432")}, Weight: 1}},
		}},
	}
	for i, l := range listeners {
		l.Name, l.TargetGroups = spec.ListenerName([]string{"a", "b"}[i]), []spec.GroupRef{{Name: "db", Weight: 1}}
		want.Listeners = append(want.Listeners, l)
	}
	return want
}

// TestOutlives proves that flows outlive the process only where the kernel carries
// some of a VIP that routers are told of.
func TestOutlives(t *testing.T) {
	tcp := spec.Listener{VIP: "public", Port: 15432, Protocol: spec.ProtocolTCP}
	tls := spec.Listener{VIP: "public", Port: 15433, Protocol: spec.ProtocolTLS}
	routed := spec.Listener{VIP: "routed", Port: 15432, Protocol: spec.ProtocolTCP}
	n := New(Options{Name: "one", Log: slog.New(slog.DiscardHandler)})
	for _, tt := range []struct {
		name string
		want *spec.Spec
		ok   bool
	}{
		{"in the kernel", announced(spec.DatapathXDP, tcp), true},
		{"some of it", announced(spec.DatapathXDP, tls, tcp), true},
		{"nothing that the kernel could carry", announced(spec.DatapathXDP, tls), false},
		{"of a VIP that no router is told of", announced(spec.DatapathXDP, routed), false},
		{"a relay", announced(spec.DatapathRelay, tcp), false},
	} {
		if got := n.outlives(tt.want); got != tt.ok {
			t.Errorf("%s: outlives = %v, want %v", tt.name, got, tt.ok)
		}
	}
}

// TestOutlivesAuto proves that a node whose datapath auto fell back to the relay says
// that its flows die with the process.
func TestOutlivesAuto(t *testing.T) {
	want := announced(spec.DatapathAuto, spec.Listener{VIP: "public", Port: 15432, Protocol: spec.ProtocolTCP})
	n := New(Options{Name: "one", Log: slog.New(slog.DiscardHandler)})
	withoutCapabilities(t, func() {
		here := n.here(want)
		if _, site := here.Node("one"); site.L4.Datapath != spec.DatapathRelay {
			t.Errorf("datapath auto is %q without a capability, want relay", site.L4.Datapath)
		}
		if n.outlives(here) {
			t.Error("flows of a relay outlive it")
		}
	})
}
