package http1_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/l7/http1"
	"portico/l7/message"
)

// decode feeds in to a Decoder in pieces that end at each of the cuts and returns
// the body, what was left over, and the trailers; without more input to come, an
// unfinished body is an error.
func decode(d *http1.Decoder, in string, cuts ...int) (body, rest, trailers string, err error) {
	start, whole := 0, []byte(in)
	for _, end := range append(cuts, len(in)) {
		for !d.Done() {
			data, n, err := d.Next(whole[start:end])
			if err != nil {
				return body, "", "", err
			}
			body += string(data)
			start += n
			if n == 0 {
				break
			}
		}
	}
	if !d.Done() {
		if err := d.EOF(); err != nil {
			return body, "", "", err
		}
	}
	for _, f := range d.Trailers() {
		trailers += fmt.Sprintf("{%s:%s}", f.Name, f.Value)
	}
	return body, in[start:], trailers, nil
}

var bodies = []struct {
	name                     string
	framing                  message.Framing
	length                   int64
	in, body, rest, trailers string
}{
	{"none", message.NoBody, 0, "GET", "", "GET", ""},
	{"length", message.Length, 5, "helloGET", "hello", "GET", ""},
	{"length 0", message.Length, 0, "GET", "", "GET", ""},
	{"until close", message.UntilClose, 0, "hello", "hello", "", ""},
	{"until close at once", message.UntilClose, 0, "", "", "", ""},
	{"no chunk", message.Chunked, 0, "0\r\n\r\nGET", "", "GET", ""},
	{"chunks", message.Chunked, 0, "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\nGET", "hello world", "GET", ""},
	{"digits", message.Chunked, 0, "000000000000000a\r\n0123456789\r\n0A\r\n0123456789\r\n00\r\n\r\n", "01234567890123456789", "", ""},
	{"data that looks like framing", message.Chunked, 0, "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "", ""},
	{"extensions", message.Chunked, 0, "1;a=b; c=\"d;\t\\\"\xff\"\r\nx\r\n0;\r\n\r\n", "x", "", ""},
	{"longest extension", message.Chunked, 0, "1;" + strings.Repeat("a", 256) + "\r\nx\r\n1;" + strings.Repeat("a", 256) + "\r\ny\r\n0\r\n\r\n", "xy", "", ""},
	{"trailers", message.Chunked, 0, "0\r\nX-Sum:  1 \r\nEmpty:\r\n\r\nGET", "", "GET", "{X-Sum:1}{Empty:}"},
	{
		"forbidden trailers", message.Chunked, 0,
		"0\r\nContent-Length: 5\r\nHost: a\r\nAuthorization: b\r\nX-Forwarded-For: c\r\nset-cookie: d\r\nX-Forwarded: e\r\nContent-MD5: f\r\n\r\n",
		"", "", "{X-Forwarded:e}{Content-MD5:f}",
	},
}

// Every body is the same wherever it is split, and takes nothing of what follows it.
func TestDecoder(t *testing.T) {
	for _, c := range bodies {
		t.Run(c.name, func(t *testing.T) {
			var d http1.Decoder // the same one throughout: Reset forgets
			check := func(cuts ...int) {
				t.Helper()
				d.Reset(c.framing, c.length, limits)
				body, rest, trailers, err := decode(&d, c.in, cuts...)
				if err != nil || body != c.body || rest != c.rest || trailers != c.trailers {
					t.Fatalf("cut at %v: %q, %q, %q, %v", cuts, body, rest, trailers, err)
				}
				if err := d.EOF(); err != nil {
					t.Fatalf("EOF after the end: %v", err)
				}
			}
			for i := range len(c.in) {
				for j := i; j < len(c.in); j++ {
					check(i, j)
				}
			}
			check(everyByte(c.in)...)
		})
	}
}

// Every wrong body is refused for the same reason wherever it is split.
func TestDecoderRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		framing message.Framing
		in      string
		want    string
	}{
		{"no size", message.Chunked, "\r\n", "400 chunk size"},
		{"size that is none", message.Chunked, "g\r\n", "400 chunk size"},
		{"size with 0x", message.Chunked, "0x5\r\nhello\r\n", "400 chunk size"},
		{"size with sign", message.Chunked, "+5\r\nhello\r\n", "400 chunk size"},
		{"space before size", message.Chunked, " 5\r\nhello\r\n", "400 chunk size"},
		{"space after size", message.Chunked, "5 \r\nhello\r\n", "400 chunk size"},
		{"space before extension", message.Chunked, "5 ;a\r\nhello\r\n", "400 chunk size"},
		{"bare LF after size", message.Chunked, "5\nhello\r\n", "400 chunk size"},
		{"bare CR after size", message.Chunked, "5\rhello\r\n", "400 chunk size"},
		{"too many digits", message.Chunked, "00000000000000005\r\n", "400 chunk too large"},
		{"more than 63 bits", message.Chunked, "8000000000000000\r\n", "400 chunk too large"},
		{"more than 64 bits", message.Chunked, "10000000000000000\r\n", "400 chunk too large"},
		{"extension too long", message.Chunked, "5;" + strings.Repeat("a", 257) + "\r\n", "400 chunk extension"},
		{"bare LF in extension", message.Chunked, "5;a\nhello\r\n", "400 chunk extension"},
		{"bare CR in extension", message.Chunked, "5;a\rb\r\nhello\r\n", "400 chunk size"},
		{"NUL in extension", message.Chunked, "5;a\x00\r\nhello\r\n", "400 chunk extension"},
		{"data too long", message.Chunked, "5\r\nhello!\r\n", "400 chunk not ended by CRLF"},
		{"data ended by LF", message.Chunked, "5\r\nhello\n0\r\n\r\n", "400 chunk not ended by CRLF"},
		{"data ended by CR", message.Chunked, "5\r\nhello\r0\r\n\r\n", "400 chunk not ended by CRLF"},
		{"LF as last line", message.Chunked, "0\r\n\n", "400 bare LF"},
		{"LF after trailer", message.Chunked, "0\r\nX: a\n\r\n", "400 bare LF"},
		{"LF after trailers", message.Chunked, "0\r\nX: a\r\n\n", "400 bare LF"},
		{"CR at the end", message.Chunked, "0\r\n\rX", "400 field name"},
		{"trailer folded", message.Chunked, "0\r\nX: a\r\n b\r\n\r\n", "400 obs-fold"},
		{"trailer without colon", message.Chunked, "0\r\nX\r\n\r\n", "400 field name"},
		{"trailer with CR", message.Chunked, "0\r\nX: a\rb\r\n\r\n", "400 control character in field value"},
		{"trailers too large", message.Chunked, "0\r\nX: " + strings.Repeat("a", 4096), "431 trailers too large"},
		{"too many trailers", message.Chunked, "0\r\n" + strings.Repeat("X: a\r\n", 21) + "\r\n", "431 too many fields"},
		{"cut in length", message.Length, "hell", "400 connection ended within the body"},
		{"cut in size", message.Chunked, "5", "400 connection ended within the body"},
		{"cut in data", message.Chunked, "5\r\nhell", "400 connection ended within the body"},
		{"cut after data", message.Chunked, "5\r\nhello\r\n", "400 connection ended within the body"},
		{"cut before the last line", message.Chunked, "5\r\nhello\r\n0\r\n", "400 connection ended within the body"},
		{"cut within the last line", message.Chunked, "5\r\nhello\r\n0\r\n\r", "400 connection ended within the body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d http1.Decoder
			check := func(cuts ...int) {
				t.Helper()
				d.Reset(c.framing, 5, limits)
				_, _, _, err := decode(&d, c.in, cuts...)
				if err == nil || reasonOf(t, err) != c.want {
					t.Fatalf("cut at %v: %v, want %q", cuts, err, c.want)
				}
				if _, n, again := d.Next([]byte("0\r\n\r\n")); !errors.Is(again, err) || n != 0 || d.Done() || !errors.Is(d.EOF(), err) {
					t.Fatalf("after %v: %d, %v", err, n, again)
				}
			}
			for i := range len(c.in) {
				check(i)
			}
			check(everyByte(c.in)...)
		})
	}
}

// Data is a part of the input, not a copy.
func TestDecoderYieldsInput(t *testing.T) {
	var d http1.Decoder
	d.Reset(message.Chunked, 0, limits)
	in := []byte("5\r\nhello\r\n")
	data, n, err := d.Next(in)
	if err != nil || n != 8 || &data[0] != &in[3] || string(data) != "hello" {
		t.Errorf("%q, %d, %v", data, n, err)
	}
}

// What the Append functions write, a Decoder reads.
func TestChunksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 300)).Draw(t, "pieces")
		fields := rapid.SliceOfN(field(), 0, 5).Draw(t, "trailers")
		var wire []byte
		var want, wantTrailers string
		for _, p := range pieces {
			wire = http1.AppendChunk(wire, p)
			want += string(p)
		}
		wire = http1.AppendLastChunk(wire, fields)
		for _, f := range fields {
			wantTrailers += fmt.Sprintf("{%s:%s}", f.Name, f.Value)
		}
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(wire)), 0, 10).Draw(t, "cuts")
		slices.Sort(cuts)
		var d http1.Decoder
		d.Reset(message.Chunked, 0, limits)
		body, rest, trailers, err := decode(&d, string(wire)+"rest", cuts...)
		if err != nil || body != want || rest != "rest" || trailers != wantTrailers {
			t.Fatalf("%q: %q, %q, %q, %v", wire, body, rest, trailers, err)
		}
	})
}

// field draws a field that means nothing to the codec.
func field() *rapid.Generator[message.Field] {
	return rapid.Custom(func(t *rapid.T) message.Field {
		name := "x-" + rapid.StringMatching("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}").Draw(t, "name")
		value := rapid.StringMatching("([!-~éü]([\t -~é]{0,30}[!-~])?)?").Draw(t, "value")
		return message.Field{Name: []byte("Y" + name), Value: []byte(value)}
	})
}
