package exchange

import (
	"strconv"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
)

// skipMax is up to which length a body nobody wants is read to its end, so that
// the connection can be kept.
const skipMax = 64 << 10

// fail answers the client that its request went wrong, or where its answer had
// begun already cuts it off.
func (m *Machine) fail(status int, why outcome.Why, err error, now time.Time) {
	if m.answered {
		m.abort(why, err, now)
		return
	}
	mem := m.mem
	m.unlink()
	m.waited(now)
	m.note(why, err)
	mem.d.Fixed = nil
	m.h.Fail(&mem.req, &mem.d, status, why)
	if mem.d.Fixed == nil {
		mem.d.Fixed = plain(&mem.d, status)
	}
	if m.up != upDone {
		m.keep = false
	}
	m.answerFixed(mem.d.Fixed, why, now)
}

var (
	nameType  = []byte("Content-Type")
	valueText = []byte("text/plain; charset=utf-8")
)

// plain is what a client is told where the handler has no words.
func plain(d *Decision, status int) *Fixed {
	f := &d.Answer
	f.Status = status
	f.Fields = append(f.Fields[:0], message.Field{Name: nameType, Value: valueText})
	b := strconv.AppendInt(d.Scratch[len(d.Scratch):], int64(status), 10)
	b = append(b, ' ')
	b = append(b, http1.StatusText(status)...)
	f.Body = append(b, '\n')
	return f
}

// answerFixed answers without a target.
func (m *Machine) answerFixed(f *Fixed, why outcome.Why, now time.Time) {
	mem := m.mem
	m.note(why, nil)
	if f.Close {
		m.keep = false
	}
	m.discardBody(now)
	fields := mem.date.Complete(append(mem.resp.Fields[:0], f.Fields...), now)
	mem.resp = message.Response{
		Status: f.Status, Fields: fields, Minor: 1,
		Framing: message.Length, Length: int64(len(f.Body)),
	}
	bodiless := f.Status < 200 || f.Status == 204 || f.Status == 304
	if bodiless {
		mem.resp.Framing, mem.resp.Length = message.NoBody, -1
	}
	m.head(&mem.resp)
	if !bodiless && string(mem.req.Method) != "HEAD" {
		mem.out[ClientSide].Pass(f.Body)
		mem.res.BytesOut = int64(len(f.Body))
	}
	if m.stream[ClientSide] {
		mem.out[ClientSide].Finish(nil)
	}
	body := mem.d.Timeouts.Body.D()
	if !mem.d.Begun {
		body = m.bounds.HeadTimeout
	}
	m.down, m.downAt = downDone, deadline.In(now, body)
	m.settle(now)
}

// discardBody decides what becomes of a body that has no target.
func (m *Machine) discardBody(now time.Time) {
	req := &m.mem.req
	switch {
	case m.up == upDone:
	case m.keep && m.up == upHeld && req.Framing == message.Length && req.Length <= skipMax && !req.Expect100:
		m.up, m.upAt = upSkip, deadline.In(now, m.mem.d.Timeouts.Body.D())
	default:
		m.up, m.upAt, m.keep = upDrop, time.Time{}, false
	}
}

// abort ends a request that can be neither answered nor finished. The client's
// connection is reset, so that half an answer is not taken for a whole one.
func (m *Machine) abort(why outcome.Why, err error, now time.Time) {
	m.unlink()
	m.waited(now)
	m.mem.out[ClientSide].Drop()
	m.end(why, err, now)
	m.shutDown(true)
}
