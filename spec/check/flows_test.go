package check_test

import (
	"net/netip"
	"testing"

	"portico/spec"
)

// What only listeners of flows have is refused elsewhere, and names of tls listeners
// are ones that clients can ask for, each once.
func TestFlowListeners(t *testing.T) {
	run(t, []spoiled{
		{"udp beside tcp on one port", func(s *spec.Spec) {
			l := s.Listeners[2]
			l.Name, l.Protocol = "db-udp", spec.ProtocolUDP
			s.Listeners = append(s.Listeners, l)
		}, nil},
		{"tls by name", func(s *spec.Spec) {
			l := &s.Listeners[2]
			l.Protocol = spec.ProtocolTLS
			l.Servers = []spec.Server{{Hosts: []string{"db.example.com", "*.example.com"}, TargetGroups: l.TargetGroups}}
			l.TargetGroups = nil
		}, nil},
		{"names of a tls listener", func(s *spec.Spec) {
			l := &s.Listeners[2]
			l.Protocol = spec.ProtocolTLS
			l.Servers = []spec.Server{{Hosts: []string{"db.example.com", "DB.example.com", "a.*.com", "x."}, TargetGroups: l.TargetGroups}}
		}, []string{
			`listeners[2].servers[0].hosts[1]: host "DB.example.com" is named twice`,
			`listeners[2].servers[0].hosts[2]: "a.*.com" is not a name that clients ask for; use a name such as db.example.com, or *.example.com for one label`,
			`listeners[2].servers[0].hosts[3]: "x." is not a name that clients ask for; use a name such as db.example.com, or *.example.com for one label`,
		}},
		{"servers of a tcp listener", func(s *spec.Spec) {
			s.Listeners[2].Servers = []spec.Server{{Hosts: []string{"db.example.com"}, TargetGroups: s.Listeners[2].TargetGroups}}
		}, []string{
			`listeners[2].servers: tcp listeners do not choose by the name in TLS; use the protocol tls, or leave it out`,
		}},
		{"flows with HTTP/2", func(s *spec.Spec) { s.Listeners[2].HTTP2 = &spec.HTTP2{Enabled: true} }, []string{
			`listeners[2].http2: tcp listeners have no requests; use the protocol http or https, or leave it out`,
		}},
		{"http with what flows have", func(s *spec.Spec) {
			s.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			s.Listeners[0].FlowLog = spec.FlowLogJSON
		}, []string{
			`listeners[0].proxyFrom: http listeners take no PROXY header of clients; use the protocol tcp or tls, or leave it out`,
			`listeners[0].flowLog: http listeners have requests; use accessLog`,
		}},
	})
}
