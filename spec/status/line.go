package status

import (
	"portico/spec"
)

// Line is one thing that was weighed.
type Line struct {
	// Mark is "+" for what was chosen, "-" for what was ruled out, "" for a fact.
	Mark  string `json:"mark,omitempty"`
	Depth int    `json:"depth,omitempty"`
	Text  string `json:"text"`
	// Tried and Candidate are the same for a program, where the line is of one.
	Tried     *Tried     `json:"tried,omitempty"`
	Candidate *Candidate `json:"candidate,omitempty"`
}

// Tried is one alternative of a rule that a request was compared with.
type Tried struct {
	Route spec.RouteName `json:"route"`
	Rule  int            `json:"rule"`  // its index in the route
	Match int            `json:"match"` // of the alternative in the rule; -1 where it names none
	Holds bool           `json:"holds"`
	// Predicate is the first that does not hold, Want what it asks for and Saw what
	// the request has there.
	Predicate string `json:"predicate,omitempty"`
	Want      string `json:"want,omitempty"`
	Saw       string `json:"saw,omitempty"`
}

// Candidate is one target of the group that a request or flow goes to.
type Candidate struct {
	Group   spec.TargetGroupName `json:"targetGroup"`
	Label   string               `json:"label"`
	Address spec.AddrPort        `json:"address"`
	Site    spec.SiteName        `json:"site,omitempty"`
	Verdict Verdict              `json:"verdict"`
	Reason  string               `json:"reason,omitempty"` // of the verdict
	Weight  int                  `json:"weight"`
	Active  int64                `json:"active"`
	Chosen  bool                 `json:"chosen"`
	// Rank is what the balance orders by, the lowest first; absent for a target
	// that it did not look at.
	Rank *float64 `json:"rank,omitempty"`
	// Why says why it is chosen, or not.
	Why string `json:"why"`
}
