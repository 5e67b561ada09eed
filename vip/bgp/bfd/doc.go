// Package bfd notices within a second that a router is gone without a word (RFC
// 5880, asynchronous mode; RFC 5881 over one hop, RFC 5883 over several).
//
// In come packets and the time; out go packets and changes of state. Session is
// the decision, stepped by its caller; Endpoint holds the sockets and the timers.
// There is no authentication, echo or demand mode.
//
// It is our own because a planned restart must say AdminDown, which gobgp's cannot,
// and because two nodes of one process, each with an address, must not share a port.
//
// Start reading at Session.Receive.
package bfd
