package http1

// Error says why input was refused. Every Error this package returns is one of a
// fixed set, so Reason may be the label of a metric.
type Error struct {
	// Status answers a client. Errors of ParseResponse always carry 502; those of
	// a Decoder are the client's fault (400, 431), and a target's 502 is up to the
	// caller, who knows whose body it was.
	Status int
	// Reason is fixed text, without a byte of the input.
	Reason string
}

// Error returns the reason.
func (e *Error) Error() string { return "http1: " + e.Reason }
