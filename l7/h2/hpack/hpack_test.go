package hpack_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	xhpack "golang.org/x/net/http2/hpack"

	"portico/l7/h2/hpack"
	"portico/l7/message"
)

var wide = hpack.Limits{Octets: 1 << 20, Fields: 1 << 12}

func decode(tb testing.TB, d *hpack.Decoder, block []byte) []string {
	tb.Helper()
	fields, _, err := d.Decode(nil, nil, block, wide)
	if err != nil {
		tb.Fatalf("Decode(%x): %v", block, err)
	}
	return text(fields)
}

func text(fields []message.Field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, fmt.Sprintf("%s: %s", f.Name, f.Value))
	}
	return all
}

// TestStatic proves that every entry of the static table is the one of another
// implementation.
func TestStatic(t *testing.T) {
	other := xhpack.NewDecoder(4096, nil)
	var d hpack.Decoder
	d.Reset()
	for i := 1; i <= 61; i++ {
		block := []byte{0x80 | byte(i)}
		want, err := other.DecodeFull(block)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, &d, block); len(got) != 1 || got[0] != want[0].Name+": "+want[0].Value {
			t.Errorf("entry %d = %q, want %q: %q", i, got, want[0].Name, want[0].Value)
		}
	}
}

// TestHuffman proves that every octet, and strings of all of them, decode as
// another implementation encodes them.
func TestHuffman(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var d hpack.Decoder
	d.Reset()
	for n := range 3000 {
		value := make([]byte, 1+n%70)
		for i := range value {
			value[i] = byte(r.IntN(256))
		}
		if n < 256 {
			value = []byte{byte(n)}
		}
		packed := xhpack.AppendHuffmanString(nil, string(value))
		block := append([]byte{0x00, 1, 'a', 0x80 | byte(min(len(packed), 127))}, rest(len(packed))...)
		block = append(block, packed...)
		if got := decode(t, &d, block); got[0] != "a: "+string(value) {
			t.Fatalf("%q decodes to %q", value, got)
		}
	}
}

// rest is what follows a length that does not fit in seven bits.
func rest(n int) []byte {
	if n < 127 {
		return nil
	}
	if n -= 127; n < 128 {
		return []byte{byte(n)}
	}
	return []byte{byte(n) | 0x80, byte(n >> 7)}
}

// TestTable proves that a table that fills up, shrinks and is used again stays the
// one of another implementation, over blocks that refer to what was said before.
func TestTable(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var out bytes.Buffer
	var d hpack.Decoder
	for range 20 {
		d.Reset()
		out.Reset()
		enc := xhpack.NewEncoder(&out)
		for range 400 {
			out.Reset()
			if r.IntN(20) == 0 {
				enc.SetMaxDynamicTableSize(uint32(r.IntN(4097)))
			}
			var want []string
			for range 1 + r.IntN(8) {
				f := xhpack.HeaderField{
					Name: fmt.Sprintf("name-%d", r.IntN(30)), Value: strings.Repeat("v", r.IntN(200)), Sensitive: r.IntN(9) == 0,
				}
				if r.IntN(50) == 0 {
					f.Value = strings.Repeat("w", 5000)
				}
				want = append(want, f.Name+": "+f.Value)
				_ = enc.WriteField(f)
			}
			got := decode(t, &d, out.Bytes())
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got\n%q, want\n%q", got, want)
			}
		}
	}
}

// TestRefused proves that what is no header block is refused.
func TestRefused(t *testing.T) {
	tests := []struct {
		name  string
		block string
	}{
		{"index 0", "\x80"},
		{"index beyond the tables", "\xbe"},
		{"name beyond the tables", "\x7f\x00\x01a"},
		{"index without an end", "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"a number of 2^32 and more", "\xff\xff\xff\xff\xff\x7f"},
		{"a name longer than the block", "\x00\x05a"},
		{"a literal without a value", "\x00\x01a"},
		{"a literal without a name", "\x00"},
		{"a table larger than agreed", "\x3f\xe2\x1f"},
		{"a table resized after a field", "\x82\x20"},
		{"huffman: padding of zeros", "\x00\x01a\x81\x00"},
		{"huffman: padding of more than seven bits", "\x00\x01a\x82\x1f\xff"},
		{"huffman: the end within a string", "\x00\x01a\x84\xff\xff\xff\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d hpack.Decoder
			d.Reset()
			fields, _, err := d.Decode(nil, nil, []byte(tt.block), wide)
			if err == nil {
				t.Errorf("Decode = %q, want an error", text(fields))
			}
		})
	}
}

// TestLimits proves that a list beyond its limits is cut off there, that the table
// follows nevertheless, and that a list many times too large is an error.
func TestLimits(t *testing.T) {
	var d hpack.Decoder
	d.Reset()
	block := []byte("\x40\x01a\x01b\x40\x01c\x01d\x40\x01e\x01f")
	lim := hpack.Limits{Octets: 2 * 34, Fields: 9}
	fields, _, err := d.Decode(nil, nil, block, lim)
	if !errors.Is(err, hpack.ErrTooLarge) || len(fields) != 2 {
		t.Errorf("Decode = %q, %v, want two fields and ErrTooLarge", text(fields), err)
	}
	if got := decode(t, &d, []byte{0xbe}); got[0] != "e: f" {
		t.Errorf("the newest entry is %q, want e: f", got)
	}
	if _, _, err = d.Decode(nil, nil, block, hpack.Limits{Octets: 1000, Fields: 2}); !errors.Is(err, hpack.ErrTooLarge) {
		t.Errorf("three fields of two: %v, want ErrTooLarge", err)
	}
	bomb := append([]byte("\x40\x01a\x7f\x81\x10"), bytes.Repeat([]byte{'x'}, 2176)...)
	bomb = append(bomb, bytes.Repeat([]byte{0xbe}, 4000)...)
	_, octets, err := d.Decode(nil, nil, bomb, hpack.Limits{Octets: 8 << 10, Fields: 5000})
	if err == nil || errors.Is(err, hpack.ErrTooLarge) || len(octets) > 16<<10 {
		t.Errorf("a bomb: %v and %d octets, want an error of the connection", err, len(octets))
	}
}

// TestAppend proves that another implementation reads what is written, with names
// in lower case.
func TestAppend(t *testing.T) {
	long := strings.Repeat("long ", 100)
	var b []byte
	b = hpack.AppendStatus(b, 200)
	b = hpack.AppendStatus(b, 404)
	b = hpack.AppendStatus(b, 418)
	b = hpack.AppendMethod(b, []byte("GET"))
	b = hpack.AppendMethod(b, []byte("POST"))
	b = hpack.AppendMethod(b, []byte("DELETE"))
	b = hpack.AppendScheme(b, true)
	b = hpack.AppendScheme(b, false)
	b = hpack.AppendPath(b, []byte("/"), nil, false)
	b = hpack.AppendPath(b, []byte("/"), nil, true)
	b = hpack.AppendPath(b, []byte("/"+long), []byte("q=1"), true)
	b = hpack.AppendIndexed(b, hpack.Authority, []byte("example.com"))
	b = hpack.AppendLength(b, 0)
	b = hpack.AppendLength(b, 1<<62)
	b = hpack.Append(b, []byte("Content-Type"), []byte("text/html"))
	b = hpack.Append(b, []byte("X-Custom"), []byte(long))
	b = hpack.Append(b, []byte("Set-Cookie"), []byte("a=b"))
	b = hpack.Append(b, []byte("x"), nil)
	want := []string{
		":status: 200", ":status: 404", ":status: 418", ":method: GET", ":method: POST", ":method: DELETE",
		":scheme: https", ":scheme: http", ":path: /", ":path: /?", ":path: /" + long + "?q=1", ":authority: example.com",
		"content-length: 0", "content-length: 4611686018427387904",
		"content-type: text/html", "x-custom: " + long, "set-cookie: a=b", "x: ",
	}
	other := xhpack.NewDecoder(4096, nil)
	fields, err := other.DecodeFull(b)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range fields {
		if got := f.Name + ": " + f.Value; got != want[i] {
			t.Errorf("field %d = %q, want %q", i, got, want[i])
		}
		if f.Sensitive != (f.Name == "set-cookie") {
			t.Errorf("%s is never indexed: %v", f.Name, f.Sensitive)
		}
	}
	if len(fields) != len(want) {
		t.Errorf("%d fields, want %d", len(fields), len(want))
	}
}

// TestFind proves that every regular name of the static table is found by its
// lowest index, whatever its case.
func TestFind(t *testing.T) {
	var d hpack.Decoder
	d.Reset()
	for i := 15; i <= 61; i++ {
		name, _, _ := strings.Cut(decode(t, &d, []byte{0x80 | byte(i)})[0], ":")
		for _, n := range []string{name, strings.ToUpper(name)} {
			if got := hpack.Find([]byte(n)); int(got) != i {
				t.Errorf("Find(%q) = %d, want %d", n, got, i)
			}
		}
	}
	for _, name := range []string{"x", "x-forwarded-for", "contents-type", "ages"} {
		if got := hpack.Find([]byte(name)); got != 0 {
			t.Errorf("Find(%q) = %d, want none", name, got)
		}
	}
}

// FuzzDecode proves that a decoder agrees with another implementation on every
// block, and on the next one, which tells their tables apart.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x82\x86\x84\x41\x0fwww.example.com"), []byte("\xbe"))
	f.Add([]byte("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"), []byte("\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"))
	f.Add([]byte("\x3f\xe1\x1f\x40\x01a\x01b"), []byte("\x20\x40\x01a\x01b"))
	f.Add([]byte("\x40\x00\x00\x40\x00\x00"), []byte("\xbe\xbf"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var d hpack.Decoder
		d.Reset()
		other := xhpack.NewDecoder(4096, nil)
		for _, block := range [][]byte{first, second} {
			got, _, err := d.Decode(nil, nil, block, wide)
			want, otherErr := other.DecodeFull(block)
			if err != nil && strings.HasSuffix(err.Error(), "table size") || err != nil && strings.HasSuffix(err.Error(), "too large") {
				return // the other one is not as strict here
			}
			if otherErr != nil && strings.Contains(otherErr.Error(), "at the beginning") {
				return // it knows of one change of size at the start, not of two
			}
			if (err == nil) != (otherErr == nil) {
				t.Fatalf("Decode(%x): %v, another implementation: %v", block, err, otherErr)
			}
			if err != nil {
				return
			}
			for i := range want {
				if i >= len(got) || string(got[i].Name) != want[i].Name || string(got[i].Value) != want[i].Value {
					t.Fatalf("Decode(%x) = %q, want %v", block, text(got), want)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("Decode(%x) = %q, want %v", block, text(got), want)
			}
		}
	})
}

// FuzzAppend proves that what is written reads as it was meant.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("content-type"), []byte("text/html"))
	f.Fuzz(func(t *testing.T, name, value []byte) {
		if len(name) == 0 {
			return
		}
		var d hpack.Decoder
		d.Reset()
		lower := bytes.Clone(name)
		for i, c := range lower {
			if 'A' <= c && c <= 'Z' {
				lower[i] = c + 'a' - 'A'
			}
		}
		fields, _, err := d.Decode(nil, nil, hpack.Append(nil, name, value), wide)
		if err != nil || len(fields) != 1 || !bytes.Equal(fields[0].Name, lower) || !bytes.Equal(fields[0].Value, value) {
			t.Fatalf("%q: %q reads as %q, %v", name, value, text(fields), err)
		}
	})
}
