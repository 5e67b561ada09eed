// Package agree is where nodes agree on who may do what: a lease has a name and one
// holder at a time.
//
// It knows nothing of what its names stand for. Files of one machine hold what was
// agreed, until a control plane does; who uses them says what it needs as an interface.
//
// Start reading at Files, then its methods.
package agree
