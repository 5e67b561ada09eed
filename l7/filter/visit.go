package filter

import (
	"strconv"

	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
)

// Visit is what a chain remembers of one request, from its first filter until it
// ends. Its memory is used again for others. The zero value is one to begin with.
type Visit struct {
	marks []mark // by filter
	at    int    // the filter that is asked
	why   string // of the refusal, or of one that would have been
	resp  message.Response
	page  pageBody // in place of the target's
}

// mark is what one filter remembers of one request.
type mark struct {
	outcome Outcome
	held    bool   // something is to be given back
	number  uint64 // what, where it is told by a number
	text    []byte // for the answer, in the Scratch of the exchange
	lent    any    // is to be given back
}

// Outcome is what a filter that admits requests said of one.
type Outcome uint8

// The outcomes.
const (
	Unasked     Outcome = iota // the filter admits everything, or was not reached
	Passed                     // it let the request go on
	Refused                    // it answered in place of a target
	WouldRefuse                // it would have, but only counts (dry run)

)

// Outcomes lists every outcome, for the labels of metrics.
func Outcomes() []Outcome { return []Outcome{Unasked, Passed, Refused, WouldRefuse} }

// String is the outcome's stable name.
func (o Outcome) String() string {
	switch o {
	case Passed:
		return "passed"
	case Refused:
		return "refused"
	case WouldRefuse:
		return "dry-run"
	default:
		return "unasked"
	}
}

// begin makes the visit that of a new request.
func (v *Visit) begin(filters int) {
	if cap(v.marks) < filters {
		v.marks = make([]mark, filters)
	}
	v.marks = v.marks[:filters]
	clear(v.marks)
	v.at, v.why = 0, ""
}

// Clear forgets the request, so that what waits in a pool holds nothing of it.
func (v *Visit) Clear() {
	v.begin(0)
	v.resp, v.page = message.Response{}, pageBody{}
}

// Why is the reason a filter gave for refusing the request, or else the first
// that would have refused it; empty if there is none.
func (v *Visit) Why() string { return v.why }

// Outcome is what the filter at a place in the chain said of the request.
func (v *Visit) Outcome(i int) Outcome {
	if i < len(v.marks) {
		return v.marks[i].outcome
	}
	return Unasked
}

// mark is the memory of the filter that is asked.
func (v *Visit) mark() *mark { return &v.marks[v.at] }

// note says of the filter that is asked how it decided. It does nothing where a
// request is only explained.
func (m Match) note(o Outcome) {
	if m.Visit != nil {
		m.Visit.mark().outcome = o
	}
}

// would notes that the filter that is asked would refuse the request, and why, as
// refuse does.
func (m Match) would(why string) {
	m.note(WouldRefuse)
	if m.Visit != nil && m.Visit.why == "" {
		m.Visit.why = why
	}
}

var (
	nameType  = []byte("Content-Type")
	valueText = []byte("text/plain; charset=utf-8")
	nameID    = []byte("X-Request-Id")
)

// refuse is reject for filters that admit some requests: it is counted.
func refuse(d *exchange.Decision, m Match, status int, why string, fields ...message.Field) {
	m.note(Refused)
	reject(d, m, status, why, fields...)
}

// reject answers a request that a filter does not let pass. Why goes to the
// access log and is fixed text that begins with the filter's name; the client is
// told the status, the id by which the request was logged, and the fields.
func reject(d *exchange.Decision, m Match, status int, why string, fields ...message.Field) {
	if m.Visit != nil {
		m.Visit.why = why
	}
	d.Answer.Fields = append(append(d.Answer.Fields[:0], fields...), message.Field{Name: nameType, Value: valueText})
	from := len(d.Scratch)
	d.Scratch = strconv.AppendInt(d.Scratch, int64(status), 10)
	d.Scratch = append(append(d.Scratch, ' '), http1.StatusText(status)...)
	if len(m.ID) > 0 {
		d.Scratch = append(append(d.Scratch, "\nrequest "...), m.ID...)
		d.Answer.Fields = append(d.Answer.Fields, message.Field{Name: nameID, Value: m.ID})
	}
	d.Scratch = append(d.Scratch, '\n')
	d.Answer.Status, d.Answer.Body, d.Answer.Close, d.Answer.Why = status, keep(d, from), false, outcome.Refused
	d.Fixed = &d.Answer
}
