package exchange

import (
	"errors"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
)

// requestHead takes bytes of a request's head.
func (m *Machine) requestHead(p []byte, now time.Time) int {
	if m.mem == nil {
		m.open(now)
	}
	mem, taken := m.mem, 0
	for taken < len(p) {
		held := len(mem.head)
		step := http1.HeadStep(p[taken:])
		mem.head = append(mem.head, p[taken:taken+step]...)
		n, err := http1.ParseRequest(mem.head, &mem.scan, m.limits(), &mem.req)
		switch {
		case err != nil:
			m.refuse(err, now)
			return len(p)
		case n > 0:
			mem.head = mem.head[:n]
			m.request(false, now)
			return taken + n - held
		}
		taken += step
	}
	return taken
}

// limits are the listener's, in the codec's terms.
func (m *Machine) limits() http1.Limits {
	return http1.Limits{Head: m.bounds.Head, Fields: m.bounds.Fields}
}

// open begins a request with its first byte.
func (m *Machine) open(now time.Time) {
	m.h = m.o.Handlers.Handler()
	m.bounds = m.h.Bounds()
	m.mem = m.o.Memories.Get()
	m.mem.res.Start = now
	c := m.o.Client
	req := &m.mem.req
	req.TLS, req.Peer, req.Client, req.Local = c.TLS, c.Peer, c.Peer, c.Local
	m.mem.d.Client, m.mem.d.Serial, m.mem.d.Wake = c, m.serial, m.o.Wake
	m.up, m.down = upHead, downNone
	m.reused, m.fresh, m.consumed, m.sentTarget = false, false, false, false
	m.answered, m.said100, m.interims, m.ended = false, false, 0, false
	m.keep, m.clientKeeps = false, false
	m.upAt = deadline.In(now, m.bounds.HeadTimeout)
}

// refuse answers a head that is not acceptable.
func (m *Machine) refuse(err error, now time.Time) {
	status, why := 400, outcome.ClientBadRequest
	if e, ok := errors.AsType[*http1.Error](err); ok {
		status = e.Status
	}
	if status == 431 || status == 414 {
		why = outcome.ClientTooLarge
	}
	m.fail(status, why, err, now)
}

// request takes a request whose head is whole; end says that a stream has no more.
func (m *Machine) request(end bool, now time.Time) {
	mem := m.mem
	d, req := &mem.d, &mem.req
	d.Now, d.At, d.Draw, d.Begun = now, now, m.draw(), true
	d.Lag, d.Used = m.o.Memories.Lag(), m.o.Memories.Used()
	mem.res.Wait = now.Sub(mem.res.Start)
	m.serial++
	m.upAt = time.Time{}
	m.clientKeeps = req.KeepAlive && !m.stream[ClientSide]
	m.keep = m.clientKeeps && !message.Connects(req) // it may have sent what is for the tunnel
	m.begin(ClientSide)
	m.up = upHeld
	if end || mem.body.Done() && !m.stream[ClientSide] {
		m.up = upDone
	}
	if m.aged(now) {
		m.leaving = true
	}
	m.measure(now)
	m.h.Begin(req, d)
	m.decided(now)
}
