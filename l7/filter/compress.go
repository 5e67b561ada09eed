package filter

import (
	"cmp"
	"fmt"

	"portico/l7/compress"
	"portico/l7/exchange"
	"portico/l7/message"
)

type compressor struct {
	compress.Rules
	pool *compress.Pool
}

func newCompress(params any) Filter {
	p := params.(*compress.Params)
	return &compressor{compress.NewRules(p), compress.NewPool(compress.Options{Level: p.Level, Most: cmp.Or(p.Concurrent, compress.ConcurrentDefault)})}
}

// Request notes what the client reads: a later filter may take it away, so that
// the target does not compress.
func (f *compressor) Request(req *message.Request, m Match, _ *exchange.Decision) {
	if m.Visit != nil {
		m.Visit.mark().number = uint64(f.Encoding(req))
	}
}

func (f *compressor) Response(req *message.Request, resp *message.Response, m Match, d *exchange.Decision) {
	if d.Fixed != nil || d.Transform != nil { // not a target's, or changed already
		return
	}
	var flush, ok bool
	flush, ok, d.Scratch = f.Takes(req, resp, d.Scratch)
	if !ok {
		return
	}
	compress.Vary(resp)
	mark := m.Visit.mark()
	e := compress.Encoding(mark.number)
	if e == compress.None {
		return
	}
	if string(req.Method) != "HEAD" {
		enc := f.pool.Get(e, flush)
		if enc == nil {
			return // too many at once
		}
		mark.lent, d.Transform = enc, enc
	}
	d.Scratch = e.Say(resp, d.Scratch)
}

// End gives the encoder back, also of an answer that was cut off.
func (f *compressor) End(v *Visit) {
	mark := v.mark()
	if enc, ok := mark.lent.(*compress.Encoder); ok {
		f.pool.Put(enc)
		mark.lent = nil
	}
}

func (f *compressor) Explain(req *message.Request, _ Match) string {
	e := f.Encoding(req)
	if e == compress.None {
		return "the client does not ask for an encoding that is offered"
	}
	return fmt.Sprintf("answers of %s leave as %s", f.Text(), e)
}
