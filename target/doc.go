// Package target is the end of the path: which targets exist, are healthy, are next.
//
// What comes in: the target groups of a spec, as many times as it changes, and a
// way to connect to targets. What goes out: for each group a live view that
// names a target for something new (Group.Pick), says whether what began may go
// on where it began (Group.Resume), and tells people what is so and why (Status,
// Explain, metrics, one log line for each change of a verdict).
//
// It never carries traffic, never removes a target by itself and never decides
// what happens to flows and requests on a target that is no longer used; those
// are the tiers' to let finish. A verdict, load or counter is never lost because
// something else in the spec changed.
//
// Picking is what every request and flow waits for: it takes no lock of ours and
// allocates nothing. All it reads is an immutable table (table.go) that is built
// anew when a verdict or the spec changes.
//
// Start reading at Targets, then table.go, then prober.go. The algorithms are in
// package balance, the checks and the step from results to a verdict in package
// health.
package target
