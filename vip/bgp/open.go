package bgp

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// asTrans stands in a field of two octets for a number that needs four (RFC 6793).
const asTrans = 23456

// opened is what two OPEN messages agreed on.
type opened struct {
	hold     time.Duration // 0 means that neither side sends keepalives
	families map[bgp.Family]bool
	// extended says that the router takes IPv4 routes by way of IPv6 (RFC 8950).
	extended bool
	// graceful says that the router keeps our routes while we restart (RFC 4724).
	graceful bool
}

// families are those that we announce.
func families() []bgp.Family { return []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC} }

// openMessage is our OPEN. With restarting set it says that this node may have been
// away, and forwarded meanwhile (RFC 4724, section 3); to a router that kept nothing
// that says nothing.
//
// The N bit of RFC 8538 is not set: with it a router would keep routes when the hold
// timer expires, which is when a node was lost without a word.
func openMessage(c peerConfig, transport netip.Addr, restarting bool) *bgp.BGPMessage {
	caps := []bgp.ParameterCapabilityInterface{bgp.NewCapRouteRefresh(), bgp.NewCapFourOctetASNumber(c.as)}
	for _, f := range families() {
		caps = append(caps, bgp.NewCapMultiProtocol(f))
	}
	if transport.Is6() && !transport.Is4In6() {
		caps = append(caps, bgp.NewCapExtendedNexthop(
			[]*bgp.CapExtendedNexthopTuple{bgp.NewCapExtendedNexthopTuple(bgp.RF_IPv4_UC, bgp.AFI_IP6)}))
	}
	if c.graceful > 0 {
		var kept []*bgp.CapGracefulRestartTuple
		for _, f := range families() {
			kept = append(kept, bgp.NewCapGracefulRestartTuple(f, restarting))
		}
		caps = append(caps, bgp.NewCapGracefulRestart(restarting, false, uint16(c.graceful/time.Second), kept))
	}
	as := uint16(asTrans)
	if c.as <= 0xffff {
		as = uint16(c.as)
	}
	m, err := bgp.NewBGPOpenMessage(as, uint16(c.hold/time.Second), c.id,
		[]bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(caps)})
	if err != nil {
		panic("bgp: an identifier that is no IPv4 address: " + err.Error())
	}
	return m
}

// refusal is why we end a session, for the router and for people.
type refusal struct {
	code, subcode uint8
	data          []byte
	why           string
}

func (r *refusal) Error() string { return r.why }

func refuse(code, subcode uint8, format string, args ...any) *refusal {
	return &refusal{code: code, subcode: subcode, why: fmt.Sprintf(format, args...)}
}

// holdMin is the shortest hold time that is not 0 (RFC 4271, section 4.2).
const holdMin = 3

// agree checks the OPEN of a router against what we expect of it. Pure.
func agree(c peerConfig, m *bgp.BGPOpen) (opened, error) {
	o := opened{families: map[bgp.Family]bool{}}
	as, wide := uint32(m.MyAS), false
	multiprotocol := false
	for _, capability := range capabilities(m) {
		switch capability := capability.(type) {
		case *bgp.CapFourOctetASNumber:
			as, wide = capability.CapValue, true
		case *bgp.CapMultiProtocol:
			multiprotocol = true
			o.families[capability.CapValue] = true
		case *bgp.CapGracefulRestart:
			o.graceful = c.graceful > 0
		case *bgp.CapExtendedNexthop:
			o.extended = o.extended || takesIPv4ByIPv6(capability)
		}
	}
	if !multiprotocol {
		o.families[bgp.RF_IPv4_UC] = true // RFC 4760, section 8
	}
	switch {
	case m.Version != 4:
		return o, refuse(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_VERSION_NUMBER, "the router speaks version %d of BGP, not 4", m.Version)
	case as != c.remoteAS:
		return o, refuse(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_BAD_PEER_AS, "the router is AS %d; the spec says %d", as, c.remoteAS)
	case !wide:
		return o, refuse(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY, "the router does not know AS numbers of four octets (RFC 6793)")
	case !m.ID.IsValid() || m.ID.IsUnspecified() || (c.internal() && m.ID == c.id):
		return o, refuse(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER, "the router's identifier %v is %v's own or none", m.ID, c.id)
	case m.HoldTime != 0 && m.HoldTime < holdMin:
		return o, refuse(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_UNACCEPTABLE_HOLD_TIME, "the router asks for a hold time of %d s; 3 s is the least", m.HoldTime)
	}
	o.hold = min(c.hold, time.Duration(m.HoldTime)*time.Second)
	return o, nil
}

func capabilities(m *bgp.BGPOpen) []bgp.ParameterCapabilityInterface {
	var list []bgp.ParameterCapabilityInterface
	for _, p := range m.OptParams {
		if c, ok := p.(*bgp.OptionParameterCapability); ok {
			list = append(list, c.Capability...)
		}
	}
	return list
}

func takesIPv4ByIPv6(c *bgp.CapExtendedNexthop) bool {
	for _, t := range c.Tuples {
		if t.NLRIAFI == bgp.AFI_IP && t.NLRISAFI == bgp.SAFI_UNICAST && t.NexthopAFI == bgp.AFI_IP6 {
			return true
		}
	}
	return false
}
