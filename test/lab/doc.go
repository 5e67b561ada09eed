// Package lab runs the real program in every role in network namespaces, behind a
// real router, breaks it under load and counts what clients lose.
//
// In comes a drill: what is broken, and an arm that says with which mechanism. Out
// goes a line of the table that the run ends with: connections, how many of them
// broke, requests that failed, and the longest pause anyone saw. Every drill has a
// control arm with its mechanism off, which must show the harm, so that the drill
// can fail. No drill fails on speed; what is timed is printed beside its goal.
//
// All of it happens in mount and process namespaces of its own: bpffs, namespaces of
// the network and processes are gone with the test, however it ends. It needs root,
// Linux, iproute2 and FRR; make lab runs it.
//
// Start reading at world.
package lab
