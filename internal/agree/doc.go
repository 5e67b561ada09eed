// Package agree is where nodes agree: on who may do what, by leases that have one holder
// at a time, and on what is so, by values that only who has seen the last one replaces.
//
// It knows nothing of what its names stand for. Files of one machine hold what was
// agreed, until a control plane does; who uses them says what it needs as an interface.
//
// Start reading at Files, then Acquire and Swap.
package agree
