package target

import (
	"sync"
	"time"

	"portico/spec"
)

// budgetWindow is over how many seconds retries are compared with requests: long
// enough that a pause does not use up the share, short enough that what failed an
// hour ago earns nothing.
const budgetWindow = 10

// Budget bounds the retries of a group to a share of its requests, so that targets
// that fail are not asked several times as much when they can bear it least. It is
// pure; the caller says what time it is, and guards it.
type Budget struct {
	seconds [budgetWindow]second
}

// second is what happened in one second.
type second struct {
	at                int64 // Unix time
	requests, retries int
}

// Request counts a request that is not a retry.
func (b *Budget) Request(now time.Time) { b.second(now).requests++ }

func (b *Budget) second(now time.Time) *second {
	at := now.Unix()
	s := &b.seconds[uint64(at)%budgetWindow]
	if s.at != at {
		s.at, s.requests, s.retries = at, 0, 0
	}
	return s
}

// Retry counts a retry and reports whether the limit has room for it: within the
// last ten seconds there may be as many as its share of the requests, or as its
// least rate, whichever is more.
func (b *Budget) Retry(limit spec.RetryBudget, now time.Time) bool {
	last := b.second(now)
	requests, retries := 0, 0
	for i := range b.seconds {
		if s := &b.seconds[i]; last.at-s.at < budgetWindow && s.at <= last.at {
			requests += s.requests
			retries += s.retries
		}
	}
	if retries >= max(requests*limit.Percent/100, limit.PerSecond*budgetWindow) {
		return false
	}
	last.retries++
	return true
}

// budget is a group's, with its guard.
type budget struct {
	mu sync.Mutex
	Budget
}

// Requested counts a request that may be retried, for Retry.
func (g *Group) Requested(now time.Time) {
	g.budget.mu.Lock()
	defer g.budget.mu.Unlock()
	g.budget.Request(now)
}

// Retry reports whether the budget has room for a retry of such a request, which
// then counts.
func (g *Group) Retry(limit spec.RetryBudget, now time.Time) bool {
	g.budget.mu.Lock()
	defer g.budget.mu.Unlock()
	return g.budget.Retry(limit, now)
}
