package exchange

import (
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

// gather reads the body of a request to its end before its handler goes on, which
// then finds it like one that never had to wait.
func (m *Machine) gather(now time.Time) {
	mem := m.mem
	switch {
	case m.up == upDone:
		m.gathered(now)
		return
	case mem.req.Framing == message.Length && mem.req.Length > m.bodyMax():
		m.fail(413, outcome.ClientTooLarge, nil, now)
		return
	case mem.req.Expect100 && m.hearsInterims() && !m.said100:
		m.sayContinue()
	}
	m.up, m.upAt = upGather, deadline.In(now, mem.d.Timeouts.Body.D())
}

// bodyMax is how large a body may be that is gathered.
func (m *Machine) bodyMax() int64 {
	d := &m.mem.d
	if d.BodyLimit > 0 {
		return min(d.BodyLimit, d.Gather)
	}
	return d.Gather
}

// gatherMore takes bytes of such a body.
func (m *Machine) gatherMore(p []byte, now time.Time) int {
	mem := m.mem
	n, _, ok := m.part(p, m.bodyMax(), now)
	if !ok {
		return len(p)
	}
	for _, piece := range mem.pieces {
		mem.whole = append(mem.whole, piece...)
	}
	m.keeps()
	m.upAt = deadline.In(now, mem.d.Timeouts.Body.D())
	if mem.body.Done() && !m.stream[ClientSide] {
		m.gathered(now)
	}
	return n
}

// keeps tells how much the request keeps now.
func (m *Machine) keeps() {
	n := cap(m.mem.whole) + cap(m.mem.held)
	m.o.Memories.Keep(n - m.mem.kept)
	m.mem.kept = n
}

// gathered lets the handler go on with a request that is all here.
func (m *Machine) gathered(now time.Time) {
	mem := m.mem
	if m.up == upGather {
		mem.res.Sent = now.Sub(mem.res.Start)
		mem.req.Expect100 = false
		if len(m.trailers(ClientSide)) == 0 {
			mem.req.Framing, mem.req.Length = message.Length, int64(len(mem.whole))
		}
	}
	m.up, m.upAt = upDone, time.Time{}
	mem.d.Gather, mem.d.Pending, mem.d.At = 0, false, now
	m.h.Resume(&mem.req, &mem.d, now)
	m.decided(now)
}

// sendWhole sends what there is of a request whose body ended already.
func (m *Machine) sendWhole() {
	mem := m.mem
	if mem.req.Upgrade != nil {
		return
	}
	mem.pieces = append(mem.pieces[:0], mem.whole)
	m.forward(TargetSide, int64(len(mem.whole)), m.chunkUp)
	m.finish(TargetSide, m.chunkUp)
}

// holds reports whether an answer is kept until all of it is here.
func (m *Machine) holds() bool {
	resp, d := &m.mem.resp, &m.mem.d
	return d.Hold > 0 && m.down == downBody && !m.answered && resp.Framing != message.NoBody &&
		(resp.Framing != message.Length || resp.Length <= d.Hold)
}

// hold keeps mem.pieces, and lets everything go once that is more than it may be.
func (m *Machine) hold() {
	mem := m.mem
	for _, piece := range mem.pieces {
		mem.held = append(mem.held, piece...)
	}
	m.keeps()
	if int64(len(mem.held)) > mem.d.Hold {
		m.letGo(false)
	}
}

// letGo sends what was held of an answer; its length is known where that is the whole.
func (m *Machine) letGo(whole bool) {
	mem := m.mem
	if whole && len(m.trailers(TargetSide)) == 0 {
		mem.resp.Framing, mem.resp.Length = message.Length, int64(len(mem.held))
	}
	m.head(&mem.resp)
	mem.pieces = append(mem.pieces[:0], mem.held)
	m.forward(ClientSide, int64(len(mem.held)), m.chunkDown)
}
