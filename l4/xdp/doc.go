// Package xdp is the datapath of tier 2 in the kernel: programs on a network
// interface that send each packet of a VIP to the target of its flow, before a
// socket or a byte of it is allocated.
//
// What comes in: tables of slots as l4/maglev makes them, the targets behind their
// ids, and who is a VIP, as a Plan. What goes out: maps that the program reads
// (bpf/maps.h), the program attached to interfaces, and its counters.
//
// Maps and links are pinned: they forward while no process runs, and the next
// process adopts them, flow table and all. Without pins they end with the process.
//
// It never decides: who owns a slot is l4/maglev's, when it may change is the
// caller's. It never looks at a packet in Go.
//
// Start reading at bpf/balancer.bpf.c, then Plan, then Kernel.
package xdp
