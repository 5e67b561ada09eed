// Package flowtest holds the cases that every datapath of tier 2 must decide
// alike: l4.Place as it is, l4.Decide as the relay calls it for whole flows, and the
// programs of xdp packet by packet.
//
// What comes in: nothing. What goes out: Cases, each with two generations of
// targets, what a flow table holds, one packet, and where it must go.
//
// It never decides anything itself: what a case wants is written down.
//
// Start reading at Case, then cases.go. A datapath is held to them by building the
// table of each, placing the packet its own way, and comparing with Want.
package flowtest
