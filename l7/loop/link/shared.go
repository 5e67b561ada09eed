package link

import (
	"net/netip"
	"sync"
	"time"

	"portico/l7/loop/reactor"
	"portico/l7/loop/sys"
	"portico/l7/transport"
)

const (
	cipherSize = 64 << 10  // of TLS, read at once
	plainSize  = recordMax // of TLS, gathered for one record
	sparesMax  = 2 << 20   // bytes of buffers kept for what could not be sent
	spareSize  = 4 << 10   // that a new one begins with
	// spareMax is how large a buffer may be to be kept: what one reading yields,
	// with framing.
	spareMax = ReadMax + 8<<10
)

// Shared is what the links of one loop share.
type Shared struct {
	// Held counts the bytes of memory that wait to be sent or taken.
	Held int

	loop   *reactor.Loop
	shakes *sync.WaitGroup // goroutines of handshakes

	backlogs map[*Link]backlog // of the links that are slow
	spares   [][]byte
	spared   int // bytes of spares

	// Memory that is used for the time of one event.
	cipher []byte
	sealed []byte
	plain  []byte
	one    [1][]byte
	vector sys.Vector
}

// Init prepares what the links of a loop share; shakes counts the goroutines of their
// handshakes.
func (s *Shared) Init(l *reactor.Loop, shakes *sync.WaitGroup) {
	*s = Shared{
		loop: l, shakes: shakes, backlogs: map[*Link]backlog{},
		cipher: make([]byte, cipherSize), plain: make([]byte, 0, plainSize),
	}
}

// Target is what a link to one remembers.
type Target struct {
	Shelf
	Since time.Time // when its last request was over
	Alone bool      // it speaks HTTP/1.1, whatever others to the same target do
}

// Shelf is what links to targets have in common: any will do for another.
type Shelf struct {
	To  netip.AddrPort
	Via *transport.Transport
}

// count has Held know of the memory that b is now, of which it knew at.
func (s *Shared) count(at *int, b []byte) {
	s.Held += cap(b) - *at
	*at = cap(b)
}

// spare is an empty buffer to append to.
func (s *Shared) spare() []byte {
	n := len(s.spares)
	if n == 0 {
		return make([]byte, 0, spareSize)
	}
	b := s.spares[n-1]
	s.spares[n-1] = nil
	s.spares = s.spares[:n-1]
	s.spared -= cap(b)
	return b
}

// unspare takes a buffer back.
func (s *Shared) unspare(b []byte) {
	if cap(b) <= spareMax && s.spared+cap(b) <= sparesMax {
		s.spares = append(s.spares, b[:0])
		s.spared += cap(b)
	}
}
