// Package portable is the driver of the L7 tier that runs anywhere: goroutines
// over net.Conn and tls.Conn. It is the oracle the faster drivers are held to.
//
// What comes in: connections of a listening socket. What goes out: connections
// to targets, pooled between requests.
//
// It decides nothing about requests; it executes the actions of an
// exchange.Machine for each connection. One goroutine serves a connection, and a
// second one helps while bytes may flow both ways at once; they take turns in
// the machine under the connection's lock and do all I/O without it.
//
// Start reading at Driver, then at conn.work.
package portable
