package exchange

import (
	"portico/l7/http1"
	"portico/l7/message"
)

// transformMax is how much of a body is changed at once: others wait meanwhile.
const transformMax = 32 << 10

// Transformer changes the body of an answer on its way to the client. It belongs
// to one answer, and a Handler sets it in Response.
type Transformer interface {
	// Transform appends to dst what the client is to be sent for the pieces, which
	// are what one read of the target brought, at most 32 KiB, and must not be kept;
	// last says that none follow. When more would come nobody knows, so what a person may wait for
	// is not to be held back. It must not make much more of the pieces than they are.
	Transform(dst []byte, pieces [][]byte, last bool) []byte
}

// transforms makes the head of an answer one whose body will be changed. Its
// length is not known any more.
func (m *Machine) transforms() {
	mem := m.mem
	switch {
	case mem.d.Transform == nil:
	case mem.resp.Framing == message.NoBody:
		mem.d.Transform = nil
	default:
		mem.resp.Framing, mem.resp.Length = message.Chunked, -1
	}
}

// deliver sends mem.pieces, of size bytes together, on to the client; last says
// that the body is whole.
func (m *Machine) deliver(size int64, last bool) {
	mem := m.mem
	t := mem.d.Transform
	if t != nil {
		if size == 0 && !last {
			return
		}
		if last {
			mem.d.Transform = nil // nothing can follow
		}
		mem.made = t.Transform(mem.made[:0], mem.pieces, last)
		mem.pieces = append(mem.pieces[:0], mem.made)
		size = int64(len(mem.made))
	}
	mem.res.BytesOut += size
	switch {
	case m.holds():
		m.hold()
	case t == nil:
		m.forward(ClientSide, size, m.chunkDown)
	case size > 0:
		m.forwardCopy(mem.made) // which is written anew before this is sent
	}
}

func (m *Machine) forwardCopy(p []byte) {
	o := &m.mem.out[ClientSide]
	b := o.Buffer()
	if m.chunkDown {
		b = http1.AppendChunkHead(b, len(p))
	}
	b = append(b, p...)
	if m.chunkDown {
		b = append(b, '\r', '\n')
	}
	o.Grown(b)
}
