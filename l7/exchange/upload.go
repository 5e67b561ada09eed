package exchange

import (
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outbox"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
)

// upload takes bytes of a request's body and sends them on.
func (m *Machine) upload(p []byte, now time.Time) int {
	m.up = upBody // a client that does not wait for 100 (Continue) need not be kept waiting
	mem := m.mem
	n, size, ok := m.part(p, mem.d.BodyLimit, now)
	if !ok {
		return len(p)
	}
	m.consumed = true
	m.forward(TargetSide, size, m.chunkUp)
	if mem.body.Done() && !m.stream[ClientSide] {
		m.uploaded(now)
	} else {
		m.touchUpload(now)
	}
	return n
}

// part cuts the next of a request's body, of at most so many bytes; 0 means any.
// It reports false where it refused the request.
func (m *Machine) part(p []byte, limit int64, now time.Time) (n int, size int64, ok bool) {
	mem := m.mem
	n, size, err := m.cut(&mem.body, p)
	if err == nil && n < len(p) && m.stream[ClientSide] && mem.body.Done() {
		err = errLong
	}
	if err != nil {
		m.refuse(err, now)
		return n, size, false
	}
	if mem.res.BytesIn += size; limit > 0 && mem.res.BytesIn > limit {
		m.fail(413, outcome.ClientTooLarge, nil, now)
		return n, size, false
	}
	return n, size, true
}

// uploaded ends the request's body.
func (m *Machine) uploaded(now time.Time) {
	m.finish(TargetSide, m.chunkUp)
	m.up = upDone
	m.mem.res.Sent = now.Sub(m.mem.res.Start)
	m.touchUpload(now)
}

// touchUpload starts anew to wait for what the request's side waits for.
func (m *Machine) touchUpload(now time.Time) {
	t := &m.mem.d.Timeouts
	if m.up == upBody {
		m.upAt = deadline.In(now, t.Body.D())
	}
	if m.up == upDone {
		m.upAt = time.Time{}
		if m.down == downHead {
			m.downAt = deadline.In(now, t.Response.D())
		}
	}
}

// cut splits what p holds of a body into m.mem.pieces, and reports how much of p
// that was and the size of the pieces. Small ones are moved together inside p,
// so that a body in tiny chunks does not leave in tiny segments.
func (m *Machine) cut(dec *http1.Decoder, p []byte) (n int, size int64, err error) {
	pieces := m.mem.pieces[:0]
	for n < len(p) && len(pieces) < piecesMax && !dec.Done() {
		data, k, err := dec.Next(p[n:])
		if err != nil {
			return n, size, err
		}
		if k == 0 {
			break
		}
		n += k
		size += int64(len(data))
		switch last := len(pieces) - 1; {
		case len(data) == 0:
		case last >= 0 && len(data) <= outbox.SmallPiece:
			pieces[last] = append(pieces[last], data...) // over framing that was taken
		default:
			pieces = append(pieces, data)
		}
	}
	m.mem.pieces = pieces
	return n, size, nil
}

// forward sends mem.pieces, of size bytes together, to a side.
func (m *Machine) forward(s Side, size int64, chunk bool) {
	if size == 0 {
		return
	}
	o := &m.mem.out[s]
	if chunk {
		o.Grown(http1.AppendChunkHead(o.Buffer(), int(size)))
	}
	for _, piece := range m.mem.pieces {
		o.Pass(piece)
	}
	if chunk {
		o.Grown(append(o.Buffer(), '\r', '\n'))
	}
}

// skip takes the rest of a body that nobody wants.
func (m *Machine) skip(p []byte, now time.Time) int {
	n, size, err := m.cut(&m.mem.body, p)
	m.mem.res.BytesIn += size
	switch {
	case err != nil:
		m.up, m.upAt, n = upDrop, time.Time{}, len(p)
	case m.mem.body.Done():
		m.up, m.upAt = upDone, time.Time{}
	default:
		m.upAt = deadline.In(now, m.mem.d.Timeouts.Body.D())
	}
	m.settle(now)
	return n
}
