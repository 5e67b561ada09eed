package bucket

import "time"

// Rate is a token bucket: requests each so often, and so many at once. It is
// kept as one instant, when the bucket is full again (the generic cell rate
// algorithm, ITU-T I.371, as virtual scheduling). The zero value has no room.
type Rate struct {
	every time.Duration // until one more request may come
	room  time.Duration // every, times the requests that may come at once
}

// NewRate returns the rate of so many requests per duration, of which burst may
// come at once. All are at least 1, and requests are at most per nanosecond one.
func NewRate(requests int, per time.Duration, burst int) Rate {
	every := max(per/time.Duration(max(requests, 1)), 1)
	return Rate{every: every, room: every * time.Duration(max(burst, 1))}
}

// Answer is what a rate says of one request.
type Answer struct {
	// OK says that the request may come.
	OK bool
	// Left is how many more may come now.
	Left int
	// Full is how long until the bucket is full again, if none comes.
	Full time.Duration
	// Retry is how long until a request may come; 0 when one may now.
	Retry time.Duration
}

// Step decides about a request at now for a bucket that is full again at full,
// and returns when it is full after that. A full in the past is a full bucket.
func (r Rate) Step(full, now time.Duration) (time.Duration, Answer) {
	next := max(full, now) + r.every
	if next-now > r.room {
		a := r.look(max(full, now), now)
		a.OK, a.Retry = false, next-now-r.room
		return full, a
	}
	return next, r.look(next, now)
}

// Peek says what Step would, and takes nothing.
func (r Rate) Peek(full, now time.Duration) Answer {
	_, a := r.Step(full, now)
	if a.OK {
		a = r.look(max(full, now), now)
	}
	return a
}

// look describes a bucket that is full again at full, which is not before now.
func (r Rate) look(full, now time.Duration) Answer {
	a := Answer{OK: true, Full: full - now}
	if r.every > 0 {
		a.Left = int((r.room - a.Full) / r.every)
	}
	return a
}
