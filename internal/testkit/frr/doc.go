// Package frr runs a real router, FRR, in a namespace of a test.
//
// In come the configurations of its daemons; out come what vtysh says and the
// routes that the kernel of the namespace holds. Sockets, logs and process ids are
// in a folder of the test, so that several routers and the machine's own never
// meet; the daemons are ended by their ids with the test. A test without FRR is
// skipped.
//
// Start reading at Start.
package frr
