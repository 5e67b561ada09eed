package dns

import (
	"net/netip"

	"portico/dns/wire"
)

// Responder is a responder of its own for tests and benchmarks of the path of a
// query without its sockets.
func (s *Server) Responder() func(dst, msg []byte, from netip.Addr) []byte {
	r := &responder{table: &s.table, stats: new(stats)}
	return r.udp
}

// ResponderTCP is the same for messages that come over TCP.
func (s *Server) ResponderTCP() func(dst, msg []byte, from netip.Addr) []byte {
	r := &responder{table: &s.table, stats: new(stats)}
	return r.tcp
}

// The bounds that tests go up to.
const (
	TCPConnsMax   = tcpConnsMax
	TCPQueriesMax = tcpQueriesMax
	TCPQueryMax   = tcpQueryMax
	SizeMax       = wire.SizeMax
)
