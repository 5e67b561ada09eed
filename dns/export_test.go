package dns

import (
	"net"
	"net/netip"
	"time"

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

// Busy counts the TCP connections with a query that is read in part.
func (s *Server) Busy() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	busy := 0
	for _, e := range s.endpoints {
		e.conns.mu.Lock()
		for seat := e.conns.open.Front(); seat != nil; seat = seat.Next() {
			if seat.Value.(*conn).busy {
				busy++
			}
		}
		e.conns.mu.Unlock()
	}
	return busy
}

// Serve serves a connection that came from nowhere, and returns how to end it
// and how to wait for it.
func (s *Server) Serve(c net.Conn) (end func(time.Duration), wait func()) {
	e := &endpoint{server: s, counters: new(counters)}
	e.conns = newConns(e)
	e.conns.take(c, netip.Addr{})
	return e.conns.end, e.conns.all.Wait
}

// The bounds that tests go up to.
const (
	TCPConnsMax   = tcpConnsMax
	TCPQueriesMax = tcpQueriesMax
	TCPQueryMax   = tcpQueryMax
	SizeMax       = wire.SizeMax
)
