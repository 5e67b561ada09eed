//go:build linux

package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
)

// errWrongBytes says that bytes are not those of the pattern.
var errWrongBytes = errors.New("wrong bytes")

// pattern is endless bytes that differ for each seed, so that what belongs to
// another transfer, or comes twice, is seen.
type pattern struct {
	rand *rand.ChaCha8
	want []byte
}

func newPattern(seed uint64) *pattern {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return &pattern{rand: rand.NewChaCha8(key)}
}

// next returns the next n bytes, good until the next call.
func (p *pattern) next(n int) []byte {
	if cap(p.want) < n {
		p.want = make([]byte, n)
	}
	p.want = p.want[:n]
	_, _ = p.rand.Read(p.want) // never fails
	return p.want
}

// check compares bytes with those that come next.
func (p *pattern) check(got []byte) error {
	if !bytes.Equal(got, p.next(len(got))) {
		return errWrongBytes
	}
	return nil
}
