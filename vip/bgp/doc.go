// Package bgp announces the addresses of a node to its routers (RFC 4271).
//
// In come the sites of a spec (Apply) and the whole set of routes that this node
// should announce now (Announce); out go sessions with the routers and, for status,
// what each of them is doing and why (Peers). It decides nothing about what may be
// announced: that is package vip's.
//
// It speaks and does not listen: it opens every session itself, reads the header
// of what a router announces, and forgets the rest. No route is ever stored or
// installed, so a router that sends a full table costs nothing. Messages are packed
// and read by gobgp; the session is our own, because an announcer must close it in
// three ways that a router has no use for (docs/design/0009-announcing.md).
//
// A silent loss is noticed by BFD, in package bfd.
//
// Start reading at Speaker, then peer.run.
package bgp
