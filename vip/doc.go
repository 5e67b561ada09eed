// Package vip is tier 1: the world learns which nodes hold a VIP, and stops being
// sent to one that cannot serve it.
//
// What comes in: a spec, of which it takes the VIPs with announce: bgp or arp and
// the routers of the site; and what the node's other tiers say of each listener of
// such a VIP (Serving): whether it is bound, and has a target to offer.
//
// What goes out: for each address a standing (announced, announced as the last
// choice, or withdrawn), with the reason. A way (BGP, ARP) carries it to the world.
// The address itself is held on the loopback interface, or by the way.
//
// It never looks at a packet, never decides where a flow goes, and never knows what
// other nodes announce: where all of them fail, each announces itself as the last
// choice, and routers, which see all, take what there is.
//
// Start reading at Tier, then State.Step, which is the decision.
package vip
