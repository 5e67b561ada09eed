package portable

import (
	"sync"

	"portico/l7/exchange"
)

// A connection reads into a small buffer until a read fills it; only then, and
// only until it is idle again, does it have a large one.
const (
	smallSize = 4 << 10
	largeSize = 64 << 10
)

// memories lends out what requests need.
type memories struct{ sync.Pool }

// Get takes one.
func (m *memories) Get() *exchange.Memory { return m.Pool.Get().(*exchange.Memory) }

// Put gives one back.
func (m *memories) Put(x *exchange.Memory) { m.Pool.Put(x) }

// buffers lends out read buffers of the two sizes.
type buffers struct{ small, large sync.Pool }

func (b *buffers) init() {
	b.small.New = func() any { return new([smallSize]byte) }
	b.large.New = func() any { return new([largeSize]byte) }
}

func (b *buffers) get(large bool) []byte {
	if large {
		return b.large.Get().(*[largeSize]byte)[:]
	}
	return b.small.Get().(*[smallSize]byte)[:]
}

func (b *buffers) put(buf []byte) {
	switch cap(buf) {
	case smallSize:
		b.small.Put((*[smallSize]byte)(buf[:smallSize]))
	case largeSize:
		b.large.Put((*[largeSize]byte)(buf[:largeSize]))
	}
}
