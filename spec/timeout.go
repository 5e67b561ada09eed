package spec

import "time"

// DefaultTimeouts are what a listener starts from; each level below may replace
// any of them.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Connect:  Duration(3 * time.Second),
		Head:     Duration(10 * time.Second),
		Body:     Duration(30 * time.Second),
		Response: Duration(60 * time.Second),
		Idle:     Duration(60 * time.Second),
		Tunnel:   Duration(time.Hour),
		Total:    Off,
	}
}

// Over returns t with what it leaves at zero taken from the level above it.
func (t Timeouts) Over(above Timeouts) Timeouts {
	inherit := func(d *Duration, from Duration) {
		if *d == 0 {
			*d = from
		}
	}
	inherit(&t.Connect, above.Connect)
	inherit(&t.Head, above.Head)
	inherit(&t.Body, above.Body)
	inherit(&t.Response, above.Response)
	inherit(&t.Idle, above.Idle)
	inherit(&t.Tunnel, above.Tunnel)
	inherit(&t.Total, above.Total)
	return t
}

// Inherit resolves timeouts given from the outermost level to the innermost,
// over DefaultTimeouts: Inherit(listener, route, rule, group).
func Inherit(levels ...Timeouts) Timeouts {
	t := DefaultTimeouts()
	for _, level := range levels {
		t = level.Over(t)
	}
	return t
}
