// Package agree is where nodes agree on who may do what, by leases that have one holder
// at a time.
//
// It knows nothing of what its names stand for. Files of one machine hold the leases,
// until a control plane does; who uses them says what it needs as an interface.
//
// Start reading at Files, then Acquire.
package agree
