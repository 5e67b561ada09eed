package hpack_test

import (
	"bytes"
	"testing"

	xhpack "golang.org/x/net/http2/hpack"

	"portico/l7/h2/hpack"
	"portico/l7/message"
)

// request is what a browser sends with each request.
var request = []xhpack.HeaderField{
	{Name: ":method", Value: "GET"},
	{Name: ":scheme", Value: "https"},
	{Name: ":authority", Value: "www.example.com"},
	{Name: ":path", Value: "/images/logo.png?v=3"},
	{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
	{Name: "accept", Value: "text/html,application/xhtml+xml,*/*;q=0.8"},
	{Name: "accept-language", Value: "en-US,en;q=0.5"},
	{Name: "accept-encoding", Value: "gzip, deflate, br"},
	{Name: "cookie", Value: "session=0123456789abcdef0123456789abcdef"},
}

// blocks are the first request's, and that of all that follow.
func blocks() (first, next []byte) {
	var out bytes.Buffer
	enc := xhpack.NewEncoder(&out)
	for i := range 2 {
		if i > 0 {
			first = bytes.Clone(out.Bytes())
			out.Reset()
		}
		for _, f := range request {
			_ = enc.WriteField(f)
		}
	}
	return first, out.Bytes()
}

// TestNoAllocation proves that neither direction allocates on the common path.
func TestNoAllocation(t *testing.T) {
	first, next := blocks()
	var d hpack.Decoder
	d.Reset()
	lim := hpack.Limits{Octets: 16 << 10, Fields: 100}
	fields, octets, err := d.Decode(nil, nil, first, lim)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 0, 4096)
	n := testing.AllocsPerRun(1000, func() {
		fields, octets, _ = d.Decode(fields[:0], octets[:0], next, lim)
		out = out[:0]
		for _, f := range fields {
			out = hpack.Append(out, f.Name, f.Value)
		}
	})
	if n != 0 {
		t.Errorf("a request allocates %v times, want 0", n)
	}
}

// BenchmarkDecodeIndexed is a request that repeats one before.
func BenchmarkDecodeIndexed(b *testing.B) {
	first, next := blocks()
	var d hpack.Decoder
	d.Reset()
	lim := hpack.Limits{Octets: 16 << 10, Fields: 100}
	fields, octets, _ := d.Decode(nil, nil, first, lim)
	b.ReportAllocs()
	for b.Loop() {
		fields, octets, _ = d.Decode(fields[:0], octets[:0], next, lim)
	}
}

// BenchmarkDecodeLiteral is a first request, in Huffman codes.
func BenchmarkDecodeLiteral(b *testing.B) {
	first, _ := blocks()
	var (
		d      hpack.Decoder
		fields []message.Field
		octets []byte
	)
	lim := hpack.Limits{Octets: 16 << 10, Fields: 100}
	b.ReportAllocs()
	for b.Loop() {
		d.Reset()
		fields, octets, _ = d.Decode(fields[:0], octets[:0], first, lim)
	}
}

// BenchmarkDecodeOther is the other implementation's cost of the same.
func BenchmarkDecodeOther(b *testing.B) {
	first, next := blocks()
	d := xhpack.NewDecoder(4096, func(xhpack.HeaderField) {})
	_, _ = d.Write(first)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = d.Write(next)
		_ = d.Close()
	}
}

// BenchmarkAppend is the cost of a response's head.
func BenchmarkAppend(b *testing.B) {
	head := []message.Field{
		{Name: []byte("Server"), Value: []byte("nginx")},
		{Name: []byte("Date"), Value: []byte("Mon, 23 Nov 2026 20:00:00 GMT")},
		{Name: []byte("Content-Type"), Value: []byte("image/png")},
		{Name: []byte("ETag"), Value: []byte(`"6561d1c0-400"`)},
		{Name: []byte("X-Request-Id"), Value: []byte("0123456789abcdef0123456789abcdef")},
	}
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = hpack.AppendStatus(out[:0], 200)
		for i := range head {
			out = hpack.Append(out, head[i].Name, head[i].Value)
		}
		out = hpack.AppendLength(out, 1024)
	}
}
