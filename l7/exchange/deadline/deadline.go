// Package deadline reckons with times at which something is due. The zero time is
// never. It knows no clock.
package deadline

import "time"

// In is the time d from now; never, when d is not positive.
func In(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// Due reports whether a deadline has passed, and clears it if so.
func Due(at *time.Time, now time.Time) bool {
	if at.IsZero() || now.Before(*at) {
		return false
	}
	*at = time.Time{}
	return true
}

// Sooner is the earlier of two deadlines; one that is never is not.
func Sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Later is the later of two deadlines, or a where b is never.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
