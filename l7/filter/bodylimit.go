package filter

import (
	"fmt"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// BodyLimit is the parameters of bodyLimit: how large a request's body may be, in
// place of the listener's limit.
type BodyLimit struct {
	// Max is the most bytes.
	Max spec.Size `json:"max" required:"true" short:"true" range:"1B..1024GiB"`
}

// Check refuses a limit that is none.
func (p *BodyLimit) Check() []spec.Problem {
	if p.Max < 1 {
		return []spec.Problem{spec.Problemf("max", "%v is no limit; use 1B or more", p.Max)}
	}
	return nil
}

type bodyLimit struct {
	requestOnly
	most int64
}

func newBodyLimit(params any) Filter { return &bodyLimit{most: int64(params.(*BodyLimit).Max)} }

func (f *bodyLimit) judges() {}

const bodyTooLarge = "bodyLimit: the body is larger than the limit"

// Request refuses a body that says it is too large. One that does not say is
// refused by the exchange, as soon as it is.
func (f *bodyLimit) Request(req *message.Request, m Match, d *exchange.Decision) {
	d.BodyLimit = f.most
	if req.Framing == message.Length && req.Length > f.most {
		refuse(d, m, 413, bodyTooLarge)
		return
	}
	m.note(Passed)
}

func (f *bodyLimit) Explain(req *message.Request, _ Match) string {
	if req.Framing == message.Length && req.Length > f.most {
		return fmt.Sprintf("answers 413: the body is larger than %v", spec.Size(f.most))
	}
	return fmt.Sprintf("lets bodies of up to %v pass", spec.Size(f.most))
}
