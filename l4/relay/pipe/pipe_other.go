//go:build !linux

package pipe

// Pipe is none here.
type Pipe struct{}

// Pool has none here.
type Pool struct{}

// Init does nothing.
func (*Pool) Init(int, int) {}

// Put does nothing.
func (*Pool) Put(*Pipe, bool) {}

// Close does nothing.
func (*Pool) Close() {}
