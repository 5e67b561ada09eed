package check_test

import (
	"net/netip"
	"testing"

	"portico/spec"
)

// Server ids of QUIC are bytes, of one length for a listener, each of one target; a
// listener of tcp does not look at them.
func TestQUICServers(t *testing.T) {
	give := func(protocol spec.Protocol, ids ...spec.QUICServer) func(*spec.Spec) {
		return func(s *spec.Spec) {
			s.Listeners[2].Protocol = protocol
			ref := s.Listeners[2].TargetGroups[0].Name
			for i := range s.TargetGroups {
				if s.TargetGroups[i].Name != ref {
					continue
				}
				g := &s.TargetGroups[i]
				first := g.Targets[0]
				g.Targets = nil
				for j, id := range ids {
					next := first
					next.Address.AddrPort = netip.AddrPortFrom(first.Address.Addr(), uint16(7000+j))
					next.QUICServer = id
					g.Targets = append(g.Targets, next)
				}
			}
		}
	}
	run(t, []spoiled{
		{"ids of one length", give(spec.ProtocolUDP, "0a01", "0A02", ""), nil},
		{"for another protocol", give(spec.ProtocolTCP, "0a01", "0a01"), nil},
		{"no ids", give(spec.ProtocolUDP, "a", "xx", "010203040506070809"), []string{
			`targetGroups[1].targets[0].quicServer: "a" is not hexadecimal digits in pairs; use 1 to 8 bytes as the target writes them, such as 0a01`,
			`targetGroups[1].targets[1].quicServer: "xx" is not hexadecimal digits in pairs; use 1 to 8 bytes as the target writes them, such as 0a01`,
			`targetGroups[1].targets[2].quicServer: "010203040506070809" has 9 bytes, and at most 8 are looked at; use 1 to 8 bytes as the target writes them, such as 0a01`,
		}},
		{"ids that do not tell targets apart", give(spec.ProtocolUDP, "0a01", "0a", "0A01"), []string{
			`targetGroups[1].targets[1].quicServer: 1 bytes, and other targets of listener "db" have 2; give all targets of a listener ids of one length`,
			`targetGroups[1].targets[2].quicServer: "0A01" is already the id of targetGroups[1].targets[0]; give each target of a listener an id of its own`,
		}},
	})
}
