package exchange

import (
	"time"

	"portico/l7/exchange/deadline"
	"portico/l7/exchange/outcome"
	"portico/l7/message"
)

// switchProtocols turns the connection into a tunnel (RFC 9110, section 7.8).
func (m *Machine) switchProtocols(now time.Time) {
	mem := m.mem
	if m.up != upDone || mem.req.Upgrade == nil {
		m.fail(502, outcome.TargetBadResponse, errEarlySwitch, now)
		return
	}
	if err := m.webSocket(); err != nil {
		m.fail(502, outcome.TargetBadResponse, err, now)
		return
	}
	m.beginTunnel(now)
}

// establish makes a tunnel to a target that knows nothing of the request: CONNECT
// (RFC 9110, section 9.3.6).
func (m *Machine) establish(now time.Time) {
	m.mem.resp = message.Response{Status: 200, Fields: m.mem.resp.Fields[:0], Minor: 1, Length: -1}
	m.beginTunnel(now)
}

// beginTunnel sends the head that is the last of its kind.
func (m *Machine) beginTunnel(now time.Time) {
	mem := m.mem
	mem.res.FirstByte, mem.res.Tunnel = now.Sub(mem.res.Start), true
	mem.resp.Fields = mem.date.Complete(mem.resp.Fields, now)
	m.h.Response(&mem.req, &mem.resp, &mem.d)
	m.say(&mem.resp)
	mem.res.Status = mem.resp.Status
	m.answered, m.keep, m.poolable = true, false, false
	m.up, m.down = upTunnel, downTunnel
	m.upAt, m.mem.totalAt, m.mem.tryAt = time.Time{}, time.Time{}, time.Time{}
	m.touchTunnel(now)
	if m.clientEOF {
		m.want.shut[TargetSide] = true
	}
}

// tunnel sends bytes of one side on to the other.
func (m *Machine) tunnel(from Side, p []byte, now time.Time) int {
	n := int64(len(p))
	if from == ClientSide {
		m.mem.res.BytesIn += n
		m.mem.out[TargetSide].Pass(p)
	} else {
		m.mem.res.BytesOut += n
		m.mem.out[ClientSide].Pass(p)
	}
	m.touchTunnel(now)
	return len(p)
}

// touchTunnel starts anew to wait for a byte either way.
func (m *Machine) touchTunnel(now time.Time) {
	m.downAt = deadline.In(now, m.mem.d.Timeouts.Tunnel.D())
}
