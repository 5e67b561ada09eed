package dns

import "net"

// EmptyAsked empties a socket as its loop does at the end, calling again after
// each batch, and returns how many batches that were.
func (s *Server) EmptyAsked(c *net.UDPConn, again func()) (batches int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	l := newLoop(raw, &responder{table: &s.table, stats: new(stats)})
	l.empty(func(fd uintptr) bool {
		batches++
		again()
		return l.send(fd)
	})
	return batches, nil
}
