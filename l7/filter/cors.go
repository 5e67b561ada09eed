package filter

import (
	"fmt"

	"portico/l7/cors"
	"portico/l7/exchange"
	"portico/l7/message"
)

type corsFilter struct{ *cors.Policy }

func newCORS(params any) Filter {
	policy, err := cors.NewPolicy(params.(*cors.Params))
	if err != nil {
		panic(fmt.Sprintf("filter: cors: %v, which Check refuses", err))
	}
	return corsFilter{policy}
}

// Request answers the question that a browser asks before a request.
func (f corsFilter) Request(req *message.Request, m Match, d *exchange.Decision) {
	if !cors.Asks(req) {
		return
	}
	if !f.Allows(req) {
		reject(d, m, 403, "cors: the origin is not listed", cors.Varies())
		return
	}
	d.Answer.Fields = f.Preflight(d.Answer.Fields[:0], req)
	d.Answer.Status, d.Answer.Body, d.Answer.Close = 204, nil, false
	d.Fixed = &d.Answer
}

func (f corsFilter) Response(req *message.Request, resp *message.Response, _ Match, _ *exchange.Decision) {
	resp.Fields = f.Answer(resp.Fields, req)
}

// Explain says what a page of the origin may do.
func (f corsFilter) Explain(req *message.Request, _ Match) string {
	origin, may := cors.OriginOf(req), "may not"
	if f.Allows(req) {
		may = "may"
	}
	if origin == nil {
		return "there is no Origin, so no page asks"
	}
	return fmt.Sprintf("pages of %q %s read the answer", origin, may)
}
