// Package clock is the one door to the wall clock, so that everything else takes
// its time from a caller and tests can run in a synctest bubble.
package clock

import "time"

// Now returns the current time, with the monotonic reading that keeps
// differences right when the wall clock jumps.
func Now() time.Time { return time.Now() }
