package compress_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"portico/l7/compress"
	"portico/l7/exchange"
	"portico/l7/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ exchange.Transformer = (*compress.Encoder)(nil)

var every = []compress.Encoding{compress.Zstd, compress.Brotli, compress.Gzip}

func accept(lines ...string) []message.Field {
	var fields []message.Field
	for _, l := range lines {
		fields = append(fields, message.Field{Name: []byte("Accept-Encoding"), Value: []byte(l)})
	}
	return fields
}

// The encoding is the one that the client weighs highest, of equals the first that
// is offered, and none where the client does not ask for one.
func TestNegotiate(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  compress.Encoding
	}{
		{"nothing said", nil, compress.None},
		{"nothing wanted", []string{""}, compress.None},
		{"one", []string{"gzip"}, compress.Gzip},
		{"a browser", []string{"gzip, deflate, br, zstd"}, compress.Zstd},
		{"weights", []string{"zstd;q=0.5, br;q=0.7, gzip;q=0.6"}, compress.Brotli},
		{"thousandths", []string{"gzip;q=0.501, br;q=0.5"}, compress.Gzip},
		{"equals", []string{"gzip;q=0.5, br;q=0.5"}, compress.Brotli},
		{"refused", []string{"gzip;q=0, br;q=0.0"}, compress.None},
		{"anything", []string{"*"}, compress.Zstd},
		{"anything but", []string{"zstd;q=0, *;q=0.3"}, compress.Brotli},
		{"nothing but", []string{"gzip, *;q=0"}, compress.Gzip},
		{"identity first", []string{"identity, gzip;q=0.5"}, compress.None},
		{"identity last", []string{"identity;q=0.4, gzip;q=0.5"}, compress.Gzip},
		{"identity alike", []string{"identity, gzip"}, compress.Gzip},
		{"identity refused", []string{"identity;q=0"}, compress.None},
		{"two lines", []string{"deflate", "gzip"}, compress.Gzip},
		{"case and spaces", []string{" \tGZip ; Q=1.000 ,"}, compress.Gzip},
		{"old name", []string{"x-gzip"}, compress.Gzip},
		{"unknown", []string{"deflate, compress, foo"}, compress.None},
		{"a bad weight leaves it out", []string{"gzip;q=2, br;q=x, zstd;q=0.5000"}, compress.None},
		{"another bad weight", []string{"gzip;q=, br;q, zstd;q=1.001"}, compress.None},
		{"another parameter", []string{"gzip;level=9"}, compress.None},
	}
	for _, tt := range tests {
		if got := compress.Negotiate(accept(tt.lines...), every); got != tt.want {
			t.Errorf("%s: Negotiate(%q) = %s, want %s", tt.name, tt.lines, got, tt.want)
		}
	}
	if got := compress.Negotiate(accept("br, gzip"), []compress.Encoding{compress.Gzip}); got != compress.Gzip {
		t.Errorf("of gzip alone %s is chosen", got)
	}
}

func TestParse(t *testing.T) {
	for _, e := range append(every, compress.None) {
		if got, ok := compress.Parse(e.String()); !ok || got != e {
			t.Errorf("Parse(%s) = %s, %v", e, got, ok)
		}
	}
	if _, ok := compress.Parse("deflate"); ok {
		t.Error("deflate is an encoding")
	}
}

// decode reads what an encoder made, by another implementation's reader where
// there is one, up to where it ends or is cut off.
func decode(tb testing.TB, e compress.Encoding, encoded []byte) ([]byte, error) {
	tb.Helper()
	var r io.Reader
	switch e {
	case compress.Gzip:
		g, err := gzip.NewReader(bytes.NewReader(encoded))
		if err != nil {
			return nil, err
		}
		r = g
	case compress.Brotli:
		r = brotli.NewReader(bytes.NewReader(encoded))
	case compress.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(encoded), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		tb.Fatalf("encoding %s", e)
	}
	return io.ReadAll(r)
}

// text is so many bytes that repeat as prose does.
func text(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the target group of a rule has weights and the client sees one target after another until all are healthy")
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[rnd.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.Bytes()[:n]
}

func levels() []compress.Level {
	return []compress.Level{compress.Fast, compress.Balanced, compress.Small, ""}
}

// In every encoding and level a body comes out as it went in, smaller, however it
// is cut into pieces.
func TestRoundTrip(t *testing.T) {
	body := text(70_000)
	for _, l := range levels() {
		p := compress.NewPool(compress.Options{Level: l, Most: 1})
		for _, e := range every {
			for _, step := range []int{1, 7, 1500, 9000, len(body)} {
				if step < 9000 && l != "" {
					continue // the level changes nothing about how pieces are joined
				}
				enc := p.Get(e, step%2 == 1)
				var out []byte
				rest := body
				if step < 1500 {
					rest = body[:300]
				}
				want := rest
				for len(rest) > step {
					out = enc.Transform(out, [][]byte{rest[:step/2], rest[step/2 : step]}, false)
					rest = rest[step:]
				}
				out = enc.Transform(out, [][]byte{rest}, true)
				p.Put(enc)
				got, err := decode(t, e, out)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s %q in pieces of %d: %d bytes of %d, %v", e, l, step, len(got), len(want), err)
				}
				if step > 1500 && len(out) > len(want)/2 {
					t.Errorf("%s %q in pieces of %d: %d bytes became %d", e, l, step, len(want), len(out))
				}
			}
		}
	}
}

// An empty body is one as well, and an encoder that was given back half done is
// as good as new.
func TestEmptyAndAbandoned(t *testing.T) {
	p := compress.NewPool(compress.Options{Most: 2})
	for _, e := range every {
		half := p.Get(e, false)
		half.Transform(nil, [][]byte{text(5000)}, false)
		p.Put(half)
		enc := p.Get(e, false)
		out := enc.Transform([]byte("before "), nil, true)
		p.Put(enc)
		encoded, ok := bytes.CutPrefix(out, []byte("before "))
		if got, err := decode(t, e, encoded); !ok || err != nil || len(got) > 0 {
			t.Errorf("%s: nothing became %q: %q, %v", e, out, got, err)
		}
	}
}

// TestFlush proves that a client can read all that the target has sent once the
// target pauses, where that is asked for.
func TestFlush(t *testing.T) {
	p := compress.NewPool(compress.Options{Most: 10})
	for _, e := range every {
		enc := p.Get(e, true)
		var out []byte
		for i := range 5 {
			out = enc.Transform(out, [][]byte{fmt.Appendf(nil, "data: %d\n\n", i)}, false)
			got, _ := decode(t, e, out)
			if want := fmt.Sprintf("data: %d\n\n", i); !bytes.HasSuffix(got, []byte(want)) {
				t.Errorf("%s: after event %d a client reads %q", e, i, got)
			}
		}
		p.Put(enc)
		held := p.Get(e, false)
		if out := held.Transform(nil, [][]byte{[]byte("hello")}, false); len(out) > 20 {
			t.Errorf("%s: where no flush is asked for, %d bytes go out at once", e, len(out))
		}
		p.Put(held)
	}
}

// No more encoders are lent than may be, whatever happens to them.
func TestPoolBound(t *testing.T) {
	p := compress.NewPool(compress.Options{Most: 2})
	a, b := p.Get(compress.Gzip, false), p.Get(compress.Brotli, false)
	if a == nil || b == nil || p.Get(compress.Zstd, false) != nil || p.Taken() != 2 {
		t.Fatalf("%v, %v lent, %d taken", a, b, p.Taken())
	}
	p.Put(a)
	if c := p.Get(compress.Zstd, false); c == nil {
		t.Error("none is lent after one was given back")
	}
	if compress.NewPool(compress.Options{}).Get(compress.Gzip, false) != nil {
		t.Error("a pool that may lend none lends one")
	}
}

func TestPoolConcurrent(t *testing.T) {
	p := compress.NewPool(compress.Options{Most: 4, Level: compress.Fast})
	body := text(3000)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 10 {
				e := every[(i+j)%len(every)]
				enc := p.Get(e, false)
				out := enc.Transform(nil, [][]byte{body}, true)
				p.Put(enc)
				if got, err := decode(t, e, out); err != nil || !bytes.Equal(got, body) {
					t.Errorf("%s: %v", e, err)
				}
			}
		})
	}
	all.Wait()
	if p.Taken() != 0 {
		t.Errorf("%d are lent at the end", p.Taken())
	}
}

// FuzzNegotiate proves that whatever a client says, the choice is one that is
// offered and that the client named, or meant by a star.
func FuzzNegotiate(f *testing.F) {
	f.Add("gzip;q=0.5, br, *;q=0")
	f.Add(";;;,,,q=,=;q=1")
	f.Add("zstd;q=0.001,x-gzip;q=1.")
	f.Fuzz(func(t *testing.T, line string) {
		e := compress.Negotiate(accept(line), every)
		lower := strings.ToLower(line)
		if e != compress.None && !strings.Contains(lower, e.String()) && !strings.Contains(lower, "*") {
			t.Errorf("Negotiate(%q) = %s", line, e)
		}
	})
}

// FuzzTransform proves that any body, cut anywhere, is read as it was.
func FuzzTransform(f *testing.F) {
	f.Add([]byte("hello"), uint16(2), byte(0))
	f.Add(text(20_000), uint16(9000), byte(3))
	f.Fuzz(func(t *testing.T, body []byte, at uint16, how byte) {
		e := every[int(how>>1)%len(every)]
		cut := min(int(at), len(body))
		p := compress.NewPool(compress.Options{Most: 1, Level: compress.Fast})
		enc := p.Get(e, how&1 == 1)
		out := enc.Transform(nil, [][]byte{body[:cut]}, false)
		out = enc.Transform(out, [][]byte{body[cut:]}, true)
		if got, err := decode(t, e, out); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %q became %q, %v", e, body, got, err)
		}
	})
}

// BenchmarkTransform is the cost of a body of 64 KiB, the encoder used again.
func BenchmarkTransform(b *testing.B) {
	body := text(64 << 10)
	for _, l := range levels()[:3] {
		p := compress.NewPool(compress.Options{Level: l, Most: 1})
		for _, e := range every {
			b.Run(fmt.Sprintf("%s/%s", e, l), func(b *testing.B) {
				var out []byte
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					enc := p.Get(e, false)
					out = enc.Transform(out[:0], [][]byte{body}, true)
					p.Put(enc)
				}
				b.ReportMetric(float64(len(body))/float64(len(out)), "ratio")
			})
		}
	}
}
