// Package onlink finds the router at the other end of a link, for sessions that are
// configured by the name of an interface alone (BGP unnumbered).
//
// In comes an interface; out comes the link-local address of the router on it. Both
// ends learn of each other from router advertisements (RFC 4861, section 4.2), so
// this package sends one too: with a lifetime of zero, which says that this node is
// nobody's way to anywhere. It keeps nothing and runs only while it is asked.
//
// A message counts only if it came from the link itself (a hop limit of 255). Who is
// on the link can pretend to be its router; a password of the session guards that.
//
// Start reading at Find.
package onlink
