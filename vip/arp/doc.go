// Package arp announces VIPs on the link of a node, where no router listens: by ARP
// for IPv4 (RFC 826, RFC 5227) and neighbor discovery for IPv6 (RFC 4861).
//
// In come the addresses that this node could serve (Announce) and an Owner, which
// leases each address to one node at a time; out goes the address on the node's
// interface while the lease lasts, so that the kernel answers for it, and word to
// everybody on the link when it came.
//
// It never answers for an address without a lease. The kernel is the fence: each
// address has a lifetime that ends before the lease does, so a node that froze or
// was cut off stops answering by itself before another may begin.
//
// Start reading at Announcer, then keeper.turn, which is one step for one address.
package arp
