package filter

import (
	"fmt"
	"strings"
	"time"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// Buffer is the parameters of buffer: how large a body may be to be held until all
// of it is here. Zero passes that of the other direction on as it comes.
type Buffer struct {
	// Request bounds bodies of requests; a larger one is refused with 413.
	Request spec.Size `json:"request,omitempty" range:"1B..1GiB"`
	// Response bounds bodies of answers; a larger one is passed on as it comes.
	Response spec.Size `json:"response,omitempty" range:"1B..1GiB"`
}

// Check refuses a buffer of nothing.
func (p *Buffer) Check() []spec.Problem {
	if p.Request <= 0 && p.Response <= 0 {
		return []spec.Problem{{What: "nothing is held", Help: "write how much, such as {request: 1MiB} or {response: 1MiB}"}}
	}
	return nil
}

type buffer struct{ request, response int64 }

func newBuffer(params any) Filter {
	p := params.(*Buffer)
	return &buffer{int64(p.Request), int64(p.Response)}
}

func (f *buffer) judges() {}

const bufferTooLarge = "buffer: the body is larger than is held"

// Request has the exchange gather the body before the filters that follow, and
// before a target is chosen.
func (f *buffer) Request(req *message.Request, m Match, d *exchange.Decision) {
	switch {
	case f.request == 0 || req.Framing == message.NoBody || isCall(req):
	case req.Framing == message.Length && req.Length > f.request:
		refuse(d, m, 413, bufferTooLarge)
		return
	case m.Visit != nil:
		d.Pending, d.Gather = true, f.request
	}
	m.note(Passed)
}

// Resume has nothing left to do: the body is here.
func (f *buffer) Resume(*message.Request, Match, *exchange.Decision, time.Time) {}

// Response has the exchange hold the answer, unless it is one that comes bit by bit.
func (f *buffer) Response(req *message.Request, resp *message.Response, _ Match, d *exchange.Decision) {
	const events = "text/event-stream"
	kind := message.Get(resp.Fields, "content-type")
	stream := len(kind) >= len(events) && message.EqualFold(kind[:len(events)], events)
	if d.Fixed == nil && !stream && !isCall(req) {
		d.Hold = f.response
	}
}

func (f *buffer) Explain(req *message.Request, _ Match) string {
	var does []string
	switch {
	case f.request == 0:
	case req.Framing == message.Length && req.Length > f.request:
		return fmt.Sprintf("answers 413: the body is larger than %v", spec.Size(f.request))
	default:
		does = append(does, fmt.Sprintf("holds requests of up to %v until they are whole", spec.Size(f.request)))
	}
	if f.response > 0 {
		does = append(does, fmt.Sprintf("holds answers of up to %v until they are whole", spec.Size(f.response)))
	}
	return strings.Join(does, ", ")
}
