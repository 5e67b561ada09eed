// Package l4 is tier 2 of the path: a TCP flow that reaches a VIP is sent to one
// target and stays there.
//
// What comes in: the spec, live views of target groups, and for each flow the
// client's address and the VIP it connected to. Packages below open the sockets:
// relay does so in portable Go.
//
// What goes out: a Decision, the same on every node that holds the same spec and
// the same verdicts: an l7 node of the site for http and https listeners, with
// the client's address in a PROXY v2 header, or a target of a tcp listener's
// groups. A flow that cannot be sent anywhere is reset, for a Why that is counted.
//
// It never looks into the bytes of a flow, never moves a flow that is open, and
// holds no socket, clock or randomness itself: Decide is pure.
//
// Start reading at Decide, then Table; then relay.Relay, which is the tier's face.
package l4
