package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Retries says how often a request is tried on another target, and for what. It is
// tried again only where it may be sent twice, and where nothing of its body was
// sent and nothing of an answer reached the client.
type Retries struct {
	// Attempts after the first; 0 means DefaultRetries, a negative number none.
	Attempts int `json:"attempts,omitempty" range:"-1..10"`
	// On lists what is tried again besides a connection that cannot be made, which
	// always is.
	On []RetryOn `json:"on,omitempty"`
	// PerTry bounds one try, from connecting until the head of the answer is there.
	PerTry Duration `json:"perTryTimeout,omitempty" range:"1ms..1h"`
	// NonIdempotent also tries POST, PATCH and the like again, which targets may
	// then do twice.
	NonIdempotent bool `json:"nonIdempotent,omitempty"`
	// Budget bounds the tries that On causes; unset means its defaults.
	Budget *RetryBudget `json:"budget,omitempty"`
}

// RetryBudget bounds the retries of a target group over the last ten seconds, so
// that a group that fails is not asked several times as much.
type RetryBudget struct {
	// Percent of the group's requests that may be retries.
	Percent int `json:"percent" default:"20" range:"0..100"`
	// PerSecond may be retried whatever the share.
	PerSecond int `json:"perSecond" default:"3" range:"0..10000"`
}

// DefaultRetryBudget is the budget where On is set and no budget.
func DefaultRetryBudget() RetryBudget { return RetryBudget{Percent: 20, PerSecond: 3} }

// DefaultRetries is how many more targets are tried when connecting fails.
const DefaultRetries = 2

// RetryOn is one reason to try again: connect, reset, timeout, or a status of an
// answer from 400 to 599.
type RetryOn string

// The reasons that are no status.
const (
	RetryConnect RetryOn = "connect" // a connection could not be made; it is always tried again
	RetryReset   RetryOn = "reset"   // the target went away instead of answering
	RetryTimeout RetryOn = "timeout" // the target took too long to begin its answer
)

var retryWords = []RetryOn{RetryConnect, RetryReset, RetryTimeout}

// Status is the status that is tried again; 0 for a reason that is none.
func (r RetryOn) Status() int {
	n, _ := strconv.Atoi(string(r))
	return n
}

// MarshalText writes the reason as it is read.
func (r RetryOn) MarshalText() ([]byte, error) { return []byte(r), nil }

// UnmarshalText reads connect, reset, timeout or a status.
func (r *RetryOn) UnmarshalText(text []byte) error {
	*r = RetryOn(strings.TrimSpace(string(text)))
	if n := r.Status(); slices.Contains(retryWords, *r) || n >= 400 && n <= 599 && len(*r) == 3 {
		return nil
	}
	return fmt.Errorf("%q is no reason to try again; use connect, reset, timeout, or a status from 400 to 599", text)
}
