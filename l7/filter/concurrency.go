package filter

import (
	"cmp"
	"fmt"

	"portico/l7/exchange"
	"portico/l7/kept"
	"portico/l7/limit"
	"portico/l7/message"
	"portico/spec"
)

// ConcurrencyLimit is the parameters of concurrencyLimit: how many requests of
// each key may be under way at a node, from here until they end.
type ConcurrencyLimit struct {
	// Requests that may be under way.
	Requests int `json:"requests" required:"true" range:"1..1000000"`
	// By is what requests are told apart by; none means the client.
	By     []limit.KeyPart `json:"by,omitempty"`
	Prefix limit.KeyPrefix `json:"prefix,omitzero"`
	Status int             `json:"status,omitempty" default:"503" range:"400..599"`
	// DryRun only counts what would be refused.
	DryRun bool `json:"dryRun,omitempty"`
}

// Check refuses keys that no request has.
func (p *ConcurrencyLimit) Check() []spec.Problem {
	problems := limit.CheckKey(p.By)
	if p.Requests < 1 {
		problems = append(problems, spec.Problemf("requests", "%d requests are none; use 1 or more", p.Requests))
	}
	return problems
}

type concurrencyLimit struct {
	requestOnly
	*seatState
	p ConcurrencyLimit
}

// seatState is what a limit holds beyond one spec: requests that began before it
// was applied give their seats back after.
type seatState struct {
	key   limit.Key
	seats *limit.Seats
}

func newConcurrencyLimit(params any) Filter {
	f := &concurrencyLimit{p: *params.(*ConcurrencyLimit)}
	f.p.Status = cmp.Or(f.p.Status, 503)
	return f
}

func (f *concurrencyLimit) judges() {}

func (f *concurrencyLimit) Made(*kept.Store) any {
	return &seatState{key: limit.NewKey(f.p.By, f.p.Prefix), seats: limit.NewSeats(f.p.Requests)}
}

func (f *concurrencyLimit) Hold(made any) { f.seatState = made.(*seatState) }

const (
	seatsTaken  = "concurrencyLimit: as many requests as may be are under way"
	seatsDryRun = "concurrencyLimit: as many requests as may be are under way (dry run)"
)

// retrySoon is told to who finds every seat taken: when one is free, nobody knows.
var retrySoon = []byte("1")

func (f *concurrencyLimit) Request(req *message.Request, m Match, d *exchange.Decision) {
	var sum uint64
	sum, d.Scratch = f.key.Of(req, d.Scratch)
	if m.Visit == nil {
		if f.seats.Taken(sum) >= f.p.Requests && !f.p.DryRun {
			reject(d, m, f.p.Status, seatsTaken)
		}
		return
	}
	_, free := f.seats.Take(sum, f.p.DryRun)
	switch {
	case free:
		m.note(Passed)
	case f.p.DryRun:
		m.would(seatsDryRun)
	default:
		refuse(d, m, f.p.Status, seatsTaken, message.Field{Name: nameRetry, Value: retrySoon})
		return
	}
	mark := m.Visit.mark()
	mark.number, mark.held = sum, true
}

// End gives the request's seat back.
func (f *concurrencyLimit) End(v *Visit) {
	if mark := v.mark(); mark.held {
		mark.held = false
		f.seats.Give(mark.number)
	}
}

func (f *concurrencyLimit) Explain(req *message.Request, _ Match) string {
	sum, _ := f.key.Of(req, nil)
	taken := f.seats.Taken(sum)
	text := fmt.Sprintf("by %s, %d of %d are under way", f.key.Text(), taken, f.p.Requests)
	switch {
	case taken < f.p.Requests:
		return text
	case f.p.DryRun:
		return text + fmt.Sprintf(": would answer %d (dry run)", f.p.Status)
	}
	return text + fmt.Sprintf(": answers %d", f.p.Status)
}
