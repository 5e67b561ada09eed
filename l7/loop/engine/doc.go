// Package engine is the event loops under the L7 tier: the one place where
// machines of l7/exchange meet sockets.
//
// What comes in: listening sockets with their Service, readiness of sockets from
// a Poller, and what machines ask to be done. What goes out: bytes to clients and
// targets, and events to machines. A loop is one goroutine; all that belongs to a
// connection is touched by its loop alone, so there is no lock on the path of a
// request. A loop never waits for anything but its Poller: what would take long,
// such as a TLS handshake, runs in a goroutine that hands the result back.
//
// It decides nothing about requests, and never reads what it carries. What needs to
// know of no machine is in packages beside it: reactor is the loop, link a socket with
// its TLS, pool what is kept for later. Carrying streams of HTTP/2 is here, because
// connections of targets are shared by machines that wait for each other there.
//
// Start reading at reactor.Loop, then conn.run.
package engine
