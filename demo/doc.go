// Package demo is Portico on one machine, with nothing installed: two sites with
// their DNS, L4 and L7 nodes, and small targets that say who they are.
//
// What comes in: a folder to keep keys and logs in. What goes out: a running
// deployment on fixed loopback addresses, whose parts can be killed and healed.
// The nodes share nothing but the spec and the network, as on machines of their
// own; only the process is one.
//
// It never does what a user could not do with the same spec and portico run.
//
// Start reading at demo.yaml, then Start.
package demo
