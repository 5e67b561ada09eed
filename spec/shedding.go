package spec

import "time"

// MinRate is how fast a client must send a body or take an answer at least, while
// nothing but the client is waited for.
type MinRate struct {
	// Bytes in a second.
	Bytes Size `json:"bytes" required:"true" range:"1B..1GiB"`
	// Over is the time that the rate is measured over.
	Over Duration `json:"over" default:"10s" range:"1s..5m"`
}

// Priority is how important requests are when there are too many.
type Priority string

// The priorities, the first to be turned away first.
const (
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
)

// Shedding turns requests away when a listener has too many in flight, those of
// low priority first.
type Shedding struct {
	// Requests in flight on one node; high priority may use them all.
	Requests int `json:"requests" required:"true" range:"1..10000000"`
	// Lag is how late an event loop of the node may be, as a mean over a quarter of a
	// second; 0 means that it does not matter.
	Lag Duration `json:"lag,omitempty" range:"1ms..10s"`
	// Normal and Low are the percentages of Requests and Lag from which those
	// priorities are turned away.
	Normal int `json:"normal" default:"90" range:"1..100"`
	Low    int `json:"low" default:"70" range:"1..100"`
	// Header names a header whose value is a priority. A client may only lower
	// its own by it; trusted proxies may raise it too.
	Header string `json:"header,omitempty"`
}

// Late reports whether a loop is too late for one more request of a priority.
func (s *Shedding) Late(p Priority, lag time.Duration) bool {
	if s.Lag <= 0 {
		return false
	}
	return int64(lag) >= int64(s.Lag)*int64(s.Share(p))/100
}

// Share is from how many percent of a bound on requests of a priority are turned away;
// nil has the defaults.
func (s *Shedding) Share(p Priority) int {
	switch {
	case p == PriorityHigh:
		return 100
	case s == nil && p == PriorityLow:
		return 70
	case s == nil:
		return 90
	case p == PriorityLow:
		return s.Low
	}
	return s.Normal
}

// Allows is how many requests may be in flight for one more of a priority.
func (s *Shedding) Allows(p Priority) int {
	return max(1, s.Requests*s.Share(p)/100)
}
