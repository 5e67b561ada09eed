package spec

import "cmp"

// GroupLimits bound what one node sends to each target of a group at once. Zero
// means no limit.
type GroupLimits struct {
	// Requests in flight to one target.
	Requests int `json:"requests,omitempty" range:"0..1000000"`
	// Connections to one target that are in use: flows of tcp, and requests where
	// a connection carries one at a time.
	Connections int `json:"connections,omitempty" range:"0..1000000"`
	// Queue is where requests wait that find every target at its limit; without
	// one they get 503 at once.
	Queue *Queue `json:"queue,omitempty"`
}

// Queue bounds the requests of a group that wait for a target.
type Queue struct {
	// Length is how many wait at most.
	Length int `json:"length" required:"true" range:"1..100000"`
	// Wait is how long each waits at most before it gets 503.
	Wait Duration `json:"wait,omitempty" default:"5s" range:"1ms..1m"`
}

// PerTarget is how many requests or flows one target may have in flight; 0 means
// no limit.
func (l GroupLimits) PerTarget() int {
	if l.Requests == 0 || l.Connections == 0 {
		return max(l.Requests, l.Connections)
	}
	return min(l.Requests, l.Connections)
}

// ConnectionRate is how often connections come.
type ConnectionRate struct {
	// PerSecond is how many come in the long run.
	PerSecond int `json:"perSecond" required:"true" range:"1..1000000"`
	// Burst is how many come at once; unset means as many as PerSecond.
	Burst int `json:"burst,omitempty" range:"1..1000000"`
}

// AtOnce is how many may come at once.
func (r ConnectionRate) AtOnce() int { return cmp.Or(r.Burst, r.PerSecond) }
