package exchange

import (
	"errors"

	"portico/l7/http1"
	"portico/l7/message"
)

// A WebSocket is asked for by a key that the answer proves to have read in
// HTTP/1.1 (RFC 6455, section 4), and by CONNECT without either in streams (RFC
// 8441, section 5). Where the two sides differ, the machine is the peer that
// makes the key, or proves to have read it.

var (
	errAccept  = errors.New("wrong sec-websocket-accept")
	nameAccept = []byte("Sec-WebSocket-Accept")
)

// switching reports that a stream's client asks a target of HTTP/1 for a WebSocket.
func (m *Machine) switching() bool {
	return m.stream[ClientSide] && !m.stream[TargetSide] && message.EqualFold(m.mem.req.Upgrade, "websocket")
}

// newKey makes the key for such a request.
func (m *Machine) newKey() []byte {
	m.mem.key = http1.WebSocketKey(m.draw(), m.draw())
	return m.mem.key[:]
}

// webSocket checks or makes the proof in a 101, where only one side knows of such.
func (m *Machine) webSocket() error {
	mem := m.mem
	switch {
	case m.switching():
		if string(message.Get(mem.resp.Fields, "sec-websocket-accept")) != string(http1.AppendAccept(nil, mem.key[:])) {
			return errAccept
		}
		mem.resp.Fields = message.Del(mem.resp.Fields, "sec-websocket-accept")
	case m.stream[TargetSide] && !m.stream[ClientSide]:
		key := message.Get(mem.req.Fields, "sec-websocket-key")
		if key == nil {
			return nil // another protocol
		}
		from := len(mem.d.Scratch)
		mem.d.Scratch = http1.AppendAccept(mem.d.Scratch, key)
		mem.resp.Fields = append(mem.resp.Fields, message.Field{Name: nameAccept, Value: mem.d.Scratch[from:len(mem.d.Scratch):len(mem.d.Scratch)]})
	}
	return nil
}
