package onlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/net/ipv6"

	"portico/internal/capability"
	"portico/internal/clock"
)

// againEvery is how long Find waits for an answer until it asks again. FRR answers
// at once, or within the 3 s of RFC 4861, section 6.2.6.
const againEvery = time.Second

// messageMax is more than an advertisement can have on a link of Ethernet.
const messageMax = 1500

// Find tells the link that this node is there and returns the address of the first
// router that says so too, with the interface as its zone. After wait without one it
// gives up; an error says what the link lacks. It needs a raw socket (CAP_NET_RAW).
func Find(ctx context.Context, name string, wait time.Duration) (netip.Addr, error) {
	on, err := net.InterfaceByName(name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("interface %q: %w", name, err)
	}
	own, err := linkLocal(on)
	if err != nil {
		return netip.Addr{}, err
	}
	f, err := open(on, own)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("interface %q: %w", name, err)
	}
	defer func() { _ = f.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = f.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for end := clock.Now().Add(wait); ; {
		again := clock.Now().Add(againEvery)
		if again.After(end) {
			again = end
		}
		_ = f.conn.SetReadDeadline(again)
		if ctx.Err() != nil { // which may have come before that deadline
			return netip.Addr{}, context.Cause(ctx)
		}
		unsaid := f.ask()
		router, err := f.hear()
		switch {
		case err == nil:
			return router, nil
		case ctx.Err() != nil:
			return netip.Addr{}, context.Cause(ctx)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return netip.Addr{}, fmt.Errorf("interface %q: %w", name, err)
		case clock.Now().Before(end): // a link that just came up says nothing yet
		case unsaid != nil:
			return netip.Addr{}, fmt.Errorf("interface %q: %w", name, unsaid)
		default:
			return netip.Addr{}, fmt.Errorf("no router advertises itself on interface %q", name)
		}
	}
}

// linkLocal lists the addresses of an interface that are its link's alone.
func linkLocal(on *net.Interface) ([]netip.Addr, error) {
	addrs, err := on.Addrs()
	if err != nil {
		return nil, fmt.Errorf("interface %q: %w", on.Name, err)
	}
	var own []netip.Addr
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() {
			addr, _ := netip.AddrFromSlice(n.IP)
			own = append(own, addr)
		}
	}
	switch {
	case on.Flags&net.FlagUp == 0:
		return nil, fmt.Errorf("interface %q is down", on.Name)
	case len(own) == 0:
		return nil, fmt.Errorf("interface %q has no link-local address; is IPv6 on there?", on.Name)
	}
	return own, nil
}

// finder is a socket for neighbor discovery on one interface.
type finder struct {
	on   *net.Interface
	own  []netip.Addr
	conn *ipv6.PacketConn
}

func open(on *net.Interface, own []netip.Addr) (*finder, error) {
	raw, err := net.ListenPacket("ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, capability.NetRaw.Advise(err)
	}
	conn := ipv6.NewPacketConn(raw)
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	err = errors.Join(
		conn.SetICMPFilter(&filter),
		conn.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagInterface, true),
		conn.SetMulticastLoopback(false),
	)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &finder{on: on, own: own, conn: conn}, nil
}

// ask sends both messages once.
func (f *finder) ask() error {
	for _, m := range []struct{ message, to []byte }{
		{advertisement(f.on.HardwareAddr), net.IPv6linklocalallnodes},
		{solicitation(f.on.HardwareAddr), net.IPv6linklocalallrouters},
	} {
		options := &ipv6.ControlMessage{HopLimit: hopLimit, Src: f.own[0].AsSlice(), IfIndex: f.on.Index}
		if _, err := f.conn.WriteTo(m.message, options, &net.IPAddr{IP: m.to, Zone: f.on.Name}); err != nil {
			return err
		}
	}
	return nil
}

// hear reads until a router was heard, or the deadline.
func (f *finder) hear() (netip.Addr, error) {
	b := make([]byte, messageMax)
	for {
		n, options, from, err := f.conn.ReadFrom(b)
		if err != nil {
			return netip.Addr{}, err
		}
		if options == nil || options.IfIndex != f.on.Index {
			continue
		}
		at, ok := from.(*net.IPAddr)
		if !ok {
			continue
		}
		router, _ := netip.AddrFromSlice(at.IP)
		if isRouter(b[:n], options.HopLimit, router) && !slices.Contains(f.own, router) {
			return router.WithZone(f.on.Name), nil
		}
	}
}
