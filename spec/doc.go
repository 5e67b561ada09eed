// Package spec holds the nouns of the desired state: sites, VIPs, zones,
// listeners, routes, target groups and their targets.
//
// What comes in: nothing; these are plain values, built by config (from text),
// by kube (from Kubernetes objects) or by hand in a test.
//
// What goes out: one *Spec that every tier is handed whole, the pure questions
// all tiers ask of it (who binds what, which targets belong to which site), and
// Problem, the one shape of "this is wrong, here, and this would be right".
//
// It never does I/O, never imports anything but the standard library, and never
// mutates a Spec after it was handed over: a changed spec is a new value.
//
// Start reading at Spec, then place.go.
package spec
