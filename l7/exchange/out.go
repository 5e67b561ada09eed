package exchange

import "portico/l7/message"

// smallPiece is up to where input is copied behind a head rather than sent as a
// segment of its own: one copy is cheaper than a longer vector.
const smallPiece = 2048

// ownMax bounds what is gathered while nothing is sent, beyond one event's worth.
const ownMax = 8 << 10

// out is what one side is to be sent, in two halves: one may be with the driver
// while the other takes more.
type out struct {
	half [2]half
	cur  int  // the half that takes more
	busy bool // the other half is with the driver
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

// buffer is where heads and framing are appended; give the result to grown.
func (o *out) buffer() []byte { return o.half[o.cur].own }

// grown takes back what buffer gave.
func (o *out) grown(b []byte) { o.half[o.cur].own = b }

// pass adds input without copying it, unless it is small.
func (o *out) pass(p []byte) {
	h := &o.half[o.cur]
	if len(p) <= smallPiece {
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

// finish ends what a stream is sent.
func (o *out) finish(trailers []message.Field) {
	h := &o.half[o.cur]
	h.end, h.trailers = true, trailers
}

// ready reports whether take would yield something.
func (o *out) ready() bool { return !o.busy && !o.half[o.cur].empty() }

// pending reports whether anything is unsent.
func (o *out) pending() bool { return o.busy || !o.half[o.cur].empty() }

// full reports whether more should wait until what there is was sent. A head that
// was not handed out yet leaves room, so that a body's start leaves with it; but
// an interim response is where the next one is read to.
func (o *out) full() bool {
	h := &o.half[o.cur]
	return o.busy || len(h.segs) > 0 || len(h.own) > ownMax || h.resp != nil && h.resp.Status < 200
}

// take hands what there is to the driver until sent is called.
func (o *out) take(a *Action) {
	h := &o.half[o.cur]
	h.cut()
	o.busy = true
	o.cur = 1 - o.cur
	*a = Action{
		Kind: Send, Segs: h.segs, Request: h.req, Response: h.resp, End: h.end, Trailers: h.trailers,
	}
}

// sent takes back what take handed out.
func (o *out) sent() {
	o.busy = false
	o.half[1-o.cur].clear()
}

// drop forgets what was not handed out yet.
func (o *out) drop() { o.half[o.cur].clear() }

func (h *half) clear() {
	clear(h.segs) // input must not be kept alive
	*h = half{own: h.own[:0], segs: h.segs[:0]}
}
