package exchange

import (
	"errors"
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/http1"
	"portico/l7/message"
)

// interimMax is how many interim responses a target may send before its answer.
const interimMax = 32

var (
	errInterims     = errors.New("too many interim responses")
	errEarlySwitch  = errors.New("101 before the request was whole")
	errNoSwitch     = errors.New("the protocol was not switched")
	errLong         = errors.New("more bytes than announced")
	errEarlyRequest = errors.New("bytes before the request was sent")
)

// responseHead takes bytes of a response's head.
func (m *Machine) responseHead(p []byte, now time.Time) int {
	mem, taken := m.mem, 0
	for taken < len(p) {
		held := len(mem.rhead)
		step := http1.HeadStep(p[taken:])
		mem.rhead = append(mem.rhead, p[taken:taken+step]...)
		n, err := http1.ParseResponse(mem.rhead, &mem.rscan, m.limits(), mem.req.Method, &mem.resp)
		switch {
		case err != nil:
			m.fail(502, outcome.TargetBadResponse, err, now)
			return len(p)
		case n > 0:
			mem.rhead = mem.rhead[:n]
			m.response(false, now)
			return taken + n - held
		}
		taken += step
	}
	return taken
}

// response takes a response whose head is whole; end says that a stream has no more.
func (m *Machine) response(end bool, now time.Time) {
	switch status := m.mem.resp.Status; {
	case !m.sentTarget && !m.mem.out[TargetSide].Busy():
		m.fail(502, outcome.TargetBadResponse, errEarlyRequest, now)
	case status == 101:
		m.switchProtocols(now)
	case status < 200:
		m.interim(now)
	default:
		m.answer(end, now)
	}
}

// interim sends a 1xx on to a client that knows of such (RFC 9110, section 15.2).
func (m *Machine) interim(now time.Time) {
	mem := m.mem
	if m.interims++; m.interims > interimMax {
		m.fail(502, outcome.TargetBadResponse, errInterims, now)
		return
	}
	again := mem.resp.Status == 100 && m.said100
	if m.hearsInterims() && !again {
		m.say(&mem.resp)
	}
	mem.rhead = mem.rhead[:0]
	if mem.resp.Status == 100 {
		m.said100 = true
		if m.up == upWait {
			m.goOn(now)
		}
	}
}

// hearsInterims reports whether the client knows of interim responses.
func (m *Machine) hearsInterims() bool { return m.stream[ClientSide] || m.mem.req.Minor > 0 }

// say sends a head without a body to the client.
func (m *Machine) say(resp *message.Response) {
	o := &m.mem.out[ClientSide]
	if m.stream[ClientSide] {
		o.Response(resp)
		return
	}
	o.Grown(http1.AppendResponseHead(o.Buffer(), resp, http1.ResponseOptions{Minor: m.mem.req.Minor, Tunnel: resp.Status/100 == 2}))
}

// goOn lets the body follow a request's head.
func (m *Machine) goOn(now time.Time) {
	m.up = upBody
	m.upAt = deadline.In(now, m.mem.d.Timeouts.Body.D())
}

// answer sends the head of the final response to the client and lets the body follow.
func (m *Machine) answer(end bool, now time.Time) {
	mem := m.mem
	if m.stream[ClientSide] && mem.req.Upgrade != nil && mem.resp.Status < 300 {
		m.fail(502, outcome.TargetBadResponse, errNoSwitch, now) // a 2xx would open the tunnel (RFC 8441, section 5)
		return
	}
	if m.again(outcome.OK, now) {
		return
	}
	mem.tryAt = time.Time{}
	m.poolable = mem.resp.KeepAlive || m.stream[TargetSide]
	if m.up == upWait {
		// Whether the client sends its body now, nobody knows (RFC 9110, section 10.1.1).
		m.up, m.upAt, m.keep, m.poolable = upDrop, time.Time{}, false, false
	}
	if m.up == upBody && !m.poolable {
		m.keep = false // the target will not take the rest of the body
	}
	m.begin(TargetSide)
	mem.res.FirstByte = now.Sub(mem.res.Start)
	mem.resp.Fields = mem.date.Complete(mem.resp.Fields, now)
	m.h.Response(&mem.req, &mem.resp, &mem.d)
	m.transforms()
	m.down, m.downAt = downBody, deadline.In(now, mem.d.Timeouts.Body.D())
	if !m.holds() {
		m.head(&mem.resp)
	}
	if end || mem.rbody.Done() && !m.stream[TargetSide] {
		m.downloaded(now)
	}
}

// head sends the head of a final response to the client.
func (m *Machine) head(resp *message.Response) {
	mem := m.mem
	m.answered = true
	mem.res.Status = resp.Status
	if m.stream[ClientSide] {
		m.say(resp)
		return
	}
	if m.stream[TargetSide] && resp.Framing == message.Length && message.Get(resp.Fields, "trailer") != nil {
		resp.Framing = message.Chunked // a stream may have a length and trailers, a connection not
	}
	o := &mem.out[ClientSide]
	opt := http1.ResponseOptions{
		Minor:     mem.req.Minor,
		KeepAlive: m.keep && !m.leaving && !m.clientEOF,
		Head:      string(mem.req.Method) == "HEAD",
	}
	framing, keep := opt.Framing(resp)
	o.Grown(http1.AppendResponseHead(o.Buffer(), resp, opt))
	m.keep = keep
	m.chunkDown = framing == message.Chunked && resp.Framing != message.NoBody
}

// download takes bytes of a response's body and sends them on.
func (m *Machine) download(p []byte, now time.Time) int {
	mem, all := m.mem, len(p)
	if mem.d.Transform != nil {
		p = p[:min(all, transformMax)]
	}
	n, size, err := m.cut(&mem.rbody, p)
	if err == nil && n < all && m.stream[TargetSide] && mem.rbody.Done() {
		err = errLong
	}
	if err != nil {
		m.fail(502, outcome.TargetBadResponse, err, now)
		return all
	}
	m.deliver(size, mem.rbody.Done())
	m.downAt = deadline.In(now, mem.d.Timeouts.Body.D())
	if mem.rbody.Done() && !m.stream[TargetSide] {
		m.poolable = m.poolable && n == all // what comes after an answer is no answer
		m.downloaded(now)
	}
	return n
}

// downloaded ends the response's body.
func (m *Machine) downloaded(now time.Time) {
	mem := m.mem
	if mem.d.Transform != nil {
		mem.pieces = mem.pieces[:0]
		m.deliver(0, true)
	}
	if m.holds() {
		m.letGo(true)
	}
	m.finish(ClientSide, m.chunkDown)
	m.down = downDone
	m.downAt = deadline.In(now, mem.d.Timeouts.Body.D()) // for the client to take it
	if m.up == upBody && !m.poolable {
		m.dropUpload()
	}
	m.settle(now)
}

// dropUpload stops sending a body to the target; what still comes of it is
// thrown away, and no request follows.
func (m *Machine) dropUpload() {
	m.up, m.upAt = upDrop, time.Time{}
	m.keep, m.poolable = false, false
	m.mem.out[TargetSide].Drop()
}
