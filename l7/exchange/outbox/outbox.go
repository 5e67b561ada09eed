// Package outbox is what one side of an exchange is to be sent: heads, framing
// and slices of the input, gathered while what went before is being sent. It is
// pure, and copies no more than is small.
package outbox

import "portico/l7/message"

// SmallPiece is up to where input is copied behind a head rather than sent as a
// segment of its own: one copy is cheaper than a longer vector.
const SmallPiece = 2048

// ownMax bounds what is gathered while nothing is sent, beyond one event's worth.
const ownMax = 8 << 10

// Box is what one side is to be sent, in two halves: one may be with the driver
// while the other takes more. Its zero value is empty.
type Box struct {
	half [2]half
	cur  int  // the half that takes more
	busy bool // the other half is with the driver
}

// Parts are what a driver is handed. Request or Response, if set, goes before
// Segs; End says that nothing follows but Trailers.
type Parts struct {
	Request  *message.Request
	Response *message.Response
	Segs     [][]byte
	End      bool
	Trailers []message.Field
}

// half is a sequence of segments: of own, and of the input it was handed. For a
// stream it has a head before them and an end after them.
type half struct {
	own  []byte   // heads and framing made here, and small input
	mark int      // where the part of own begins that is in no segment yet
	segs [][]byte // sent in order

	req      *message.Request
	resp     *message.Response
	end      bool
	trailers []message.Field
}

// Buffer is where heads and framing are appended; give the result to Grown.
func (o *Box) Buffer() []byte { return o.half[o.cur].own }

// Grown takes back what Buffer gave.
func (o *Box) Grown(b []byte) { o.half[o.cur].own = b }

// Pass adds input without copying it, unless it is small.
func (o *Box) Pass(p []byte) {
	h := &o.half[o.cur]
	if len(p) <= SmallPiece {
		h.own = append(h.own, p...)
		return
	}
	h.cut()
	h.segs = append(h.segs, p)
}

// cut makes a segment of what own gained. A later growth of own may move it, but
// leaves the segment's memory as it is.
func (h *half) cut() {
	if h.mark < len(h.own) {
		h.segs = append(h.segs, h.own[h.mark:])
		h.mark = len(h.own)
	}
}

func (h *half) empty() bool {
	return len(h.segs) == 0 && h.mark == len(h.own) && h.req == nil && h.resp == nil && !h.end
}

// Request makes the head of a request what a stream is sent next.
func (o *Box) Request(req *message.Request) { o.half[o.cur].req = req }

// Response makes the head of a response what a stream is sent next.
func (o *Box) Response(resp *message.Response) { o.half[o.cur].resp = resp }

// Finish ends what a stream is sent.
func (o *Box) Finish(trailers []message.Field) {
	h := &o.half[o.cur]
	h.end, h.trailers = true, trailers
}

// Ready reports whether Take would yield something.
func (o *Box) Ready() bool { return !o.busy && !o.half[o.cur].empty() }

// Busy reports whether anything is with the driver.
func (o *Box) Busy() bool { return o.busy }

// Pending reports whether anything is unsent.
func (o *Box) Pending() bool { return o.busy || !o.half[o.cur].empty() }

// Full reports whether more should wait until what there is was sent. A head that
// was not handed out yet leaves room, so that a body's start leaves with it; but
// an interim response is where the next one is read to.
func (o *Box) Full() bool {
	h := &o.half[o.cur]
	return o.busy || len(h.segs) > 0 || len(h.own) > ownMax || h.resp != nil && h.resp.Status < 200
}

// Take hands what there is to the driver until Sent is called.
func (o *Box) Take() Parts {
	h := &o.half[o.cur]
	h.cut()
	o.busy = true
	o.cur = 1 - o.cur
	return Parts{Request: h.req, Response: h.resp, Segs: h.segs, End: h.end, Trailers: h.trailers}
}

// Sent takes back what Take handed out.
func (o *Box) Sent() {
	o.busy = false
	o.half[1-o.cur].clear()
}

// Drop forgets what was not handed out yet.
func (o *Box) Drop() { o.half[o.cur].clear() }

func (h *half) clear() {
	clear(h.segs) // input must not be kept alive
	*h = half{own: h.own[:0], segs: h.segs[:0]}
}

// Reset empties the box for another request. Memory that grew beyond most is let go.
func (o *Box) Reset(most int) {
	for i := range o.half {
		h := &o.half[i]
		h.clear()
		if cap(h.own) > most {
			h.own = nil
		}
	}
	o.busy, o.cur = false, 0 // most requests need one half alone
}
