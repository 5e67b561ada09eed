// Package compress makes bodies of answers smaller, in the encodings that a
// client says it reads.
//
// What comes in: Accept-Encoding, then a body in pieces. What goes out: the
// encoding to use, then the body in it, piece by piece. It does no I/O and starts
// no goroutine; what it holds back of a body is bounded, and so is how many bodies
// it works on at once. It is the one door to the libraries that compress.
//
// Start reading at Negotiate, then Pool and Encoder.
package compress

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Level is how much work is done for how small a body.
type Level string

// The levels.
const (
	Fast     Level = "fast"
	Balanced Level = "balanced"
	Small    Level = "small"
)

const (
	// windowBits is how far back an encoding looks for what repeats: 256 KiB. More
	// makes few texts smaller, and every encoder larger.
	windowBits = 18
	// quiet is up to how many bytes one read of a target brings when the target
	// pauses. What was held back is sent then.
	quiet = 8 << 10
)

// Options are what a Pool makes encoders with.
type Options struct {
	Level Level // empty means Balanced
	// Most is how many encoders may be lent at once; 0 means none.
	Most int
}

// Pool lends encoders, which are large: their memory is used again. Its methods
// are safe for use by several goroutines.
type Pool struct {
	o     Options
	idle  [encodings]sync.Pool
	taken atomic.Int64
}

// NewPool returns a pool that holds no encoder yet.
func NewPool(o Options) *Pool {
	if o.Level == "" {
		o.Level = Balanced
	}
	return &Pool{o: o}
}

// Get lends an encoder for one body, or returns nil where as many as may be are lent.
// It is given back by Put.
func (p *Pool) Get(e Encoding, flush bool) *Encoder {
	if p.taken.Add(1) > int64(p.o.Most) {
		p.taken.Add(-1)
		return nil
	}
	enc, ok := p.idle[e].Get().(*Encoder)
	if !ok {
		enc = newEncoder(e, p.o.Level)
	}
	enc.flush = flush
	enc.w.Reset(&enc.out)
	return enc
}

// Put takes an encoder back, whether its body was whole or not.
func (p *Pool) Put(enc *Encoder) {
	enc.w.Reset(io.Discard)
	enc.out = sink{}
	p.taken.Add(-1)
	p.idle[enc.encoding].Put(enc)
}

// Taken is how many encoders are lent.
func (p *Pool) Taken() int { return int(p.taken.Load()) }

// Encoder compresses one body. It is an exchange.Transformer.
type Encoder struct {
	encoding Encoding
	flush    bool // what is held back goes out when the target pauses
	w        writer
	out      sink
}

// writer is what every encoding's library has.
type writer interface {
	io.WriteCloser
	Flush() error
	Reset(to io.Writer)
}

// sink appends what is written to it.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

// Transform appends the encoded form of the pieces to dst. Nothing fails: it is
// written to memory.
func (e *Encoder) Transform(dst []byte, pieces [][]byte, last bool) []byte {
	e.out.b = dst
	size := 0
	for _, p := range pieces {
		size += len(p)
		_, _ = e.w.Write(p)
	}
	switch {
	case last:
		_ = e.w.Close()
	case e.flush && size < quiet:
		_ = e.w.Flush()
	}
	dst, e.out.b = e.out.b, nil
	return dst
}

// newEncoder makes an encoder. The settings are constant and known to be good. What
// the libraries have above Small takes ten times as long and more, for a body that
// is a few percent smaller, and a loop serves nobody else meanwhile.
func newEncoder(e Encoding, l Level) *Encoder {
	var w writer
	var err error
	switch e {
	case Gzip:
		w, err = gzip.NewWriterLevel(io.Discard, map[Level]int{Fast: 1, Balanced: 5, Small: 6}[l])
	case Brotli:
		w = brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{
			Quality: map[Level]int{Fast: 1, Balanced: 3, Small: 5}[l], LGWin: windowBits,
		})
	case Zstd:
		speed := map[Level]zstd.EncoderLevel{Fast: zstd.SpeedFastest, Balanced: zstd.SpeedDefault, Small: zstd.SpeedBetterCompression}[l]
		w, err = zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(speed), zstd.WithWindowSize(1<<windowBits),
			zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithZeroFrames(true))
	case None, encodings:
		err = errors.New("there is nothing to do")
	}
	if err != nil {
		panic(fmt.Sprintf("compress: encoding %s: %v; filter.Compress.Check should have refused it", e, err))
	}
	return &Encoder{encoding: e, w: w}
}
