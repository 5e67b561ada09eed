package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/spec"
	"portico/vip"
	"portico/vip/bgp"
)

// TestSeenByBGP proves that an address counts as announced once a router was told
// of it, and not for the sake of another one.
func TestSeenByBGP(t *testing.T) {
	b := byBGP{bgp.New(bgp.Options{Self: "east-1"})}
	told, other := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	if ok, why, _ := b.Seen(told); ok || why != "the spec names no router for this node" {
		t.Errorf("Seen = %v %q without a router", ok, why)
	}
	if err := b.Apply(&spec.Spec{Sites: []spec.Site{{
		Name:  "east",
		Nodes: []spec.Node{{Name: "east-1", Address: netip.MustParseAddr("127.0.0.1"), Roles: []spec.Role{spec.RoleVIP, spec.RoleL4}}},
		BGP:   &spec.BGP{AS: 65001, Peers: []spec.BGPPeer{router(t)}},
	}}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Announce([]vip.Announcement{{Addr: told}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	testkit.Poll(t, 10*time.Second, func() error {
		if ok, why, _ := b.Seen(told); !ok {
			return errors.New(why)
		}
		return nil
	})
	if ok, why, _ := b.Seen(other); ok || why != "router 127.0.0.1: session established" {
		t.Errorf("Seen = %v %q for an address that nobody was told of", ok, why)
	}
}

// router is as much of a BGP router as takes routes: it opens (RFC 4271, section
// 4.2), says that it is there, and hears.
func router(tb testing.TB) spec.BGPPeer {
	tb.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		opened := binary.BigEndian.AppendUint16([]byte{4}, 65000)
		wide := []byte{2, 6, 65, 4, 0, 0, 0xfd, 0xe8} // AS numbers of four octets (RFC 6793)
		opened = append(opened, 0, 90, 192, 0, 2, 1, byte(len(wide)))
		_, _ = conn.Write(message(1, append(opened, wide...)...))
		_, _ = conn.Write(message(4))
		_, _ = io.Copy(io.Discard, conn)
	}()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	return spec.BGPPeer{Address: at.Addr(), Port: at.Port(), AS: 65000, HoldTime: spec.Duration(90 * time.Second)}
}

// message is one of BGP (RFC 4271, section 4.1).
func message(kind byte, body ...byte) []byte {
	head := bytes.Repeat([]byte{0xff}, 16)
	head = binary.BigEndian.AppendUint16(head, uint16(19+len(body)))
	return append(append(head, kind), body...)
}
