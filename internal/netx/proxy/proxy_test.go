package proxy_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"portico/internal/netx/proxy"
)

const signature = "0d0a0d0a000d0a515549540a"

func raw(tb testing.TB, parts ...string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(parts, ""), " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var compare = cmp.Options{cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmpopts.EquateEmpty()}

// rows are headers and the bytes they stand for.
var rows = []struct {
	name   string
	header proxy.Header
	wire   []string
}{
	{
		"v4",
		proxy.Header{Source: ap("203.0.113.7:40000"), Destination: ap("198.51.100.10:443")},
		[]string{signature, "21 11 000c", "cb007107 c633640a 9c40 01bb"},
	},
	{
		"v6",
		proxy.Header{Source: ap("[2001:db8::7]:40000"), Destination: ap("[2001:db8::10]:443")},
		[]string{signature, "21 21 0024", "20010db8000000000000000000000007 20010db8000000000000000000000010 9c40 01bb"},
	},
	{
		"families mixed are written as v6",
		proxy.Header{Source: ap("203.0.113.7:40000"), Destination: ap("[2001:db8::10]:443")},
		[]string{signature, "21 21 0024", "00000000000000000000ffffcb007107 20010db8000000000000000000000010 9c40 01bb"},
	},
	{"addresses unknown", proxy.Header{}, []string{signature, "21 00 0000"}},
	{"local", proxy.Header{Local: true}, []string{signature, "20 00 0000"}},
	{
		"readiness",
		proxy.Header{Local: true, Readiness: true},
		[]string{signature, "20 00 0010", "e0 000d 706f727469636f2d7265616479"},
	},
	{
		"extension kept",
		proxy.Header{
			Source: ap("203.0.113.7:40000"), Destination: ap("198.51.100.10:443"),
			TLVs: []byte{0x02, 0, 3, 'a', '.', 'b'},
		},
		[]string{signature, "21 11 0012", "cb007107 c633640a 9c40 01bb", "02 0003 612e62"},
	},
}

// Every header is written as the protocol says and read back as it was.
func TestAppendParse(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			want := raw(t, row.wire...)
			got := proxy.Append([]byte("before"), row.header)
			if !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("Append = %x, want %x", got, want)
			}
			h, n, err := proxy.Parse(append(bytes.Clone(want), "GET / HTTP/1.1"...))
			if err != nil || n != len(want) {
				t.Fatalf("Parse = %d, %v, want %d bytes", n, err, len(want))
			}
			if diff := cmp.Diff(row.header, h, compare); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

// A header that arrives byte by byte is asked for until it is whole, never
// taken early and never refused.
func TestParseByteByByte(t *testing.T) {
	for _, row := range rows {
		wire := raw(t, row.wire...)
		for i := range wire {
			if _, n, err := proxy.Parse(wire[:i]); n != 0 || err != nil {
				t.Errorf("%s: Parse of %d of %d bytes = %d, %v, want more to be asked for", row.name, i, len(wire), n, err)
			}
		}
	}
}

// What an l4 node asks readiness with is what an l7 node knows as readiness.
func TestReadiness(t *testing.T) {
	h, n, err := proxy.Parse(proxy.AppendReadiness(nil))
	if err != nil || n == 0 || !h.Readiness || !h.Local {
		t.Errorf("Parse(AppendReadiness) = %+v, %d, %v, want a local readiness header", h, n, err)
	}
	// A client's own address block must not pass for a readiness check.
	forged := raw(t, signature, "21 00 0010", "e0 000d 706f727469636f2d7265616479")
	if h, _, err := proxy.Parse(forged); err != nil || h.Readiness {
		t.Errorf("Parse of a PROXY command with the readiness extension = %+v, %v, want no readiness", h, err)
	}
}

// Other senders' forms that the protocol allows are taken.
func TestParseForeign(t *testing.T) {
	tests := []struct {
		name string
		wire []string
		want proxy.Header
	}{
		{"local with addresses: discarded", []string{signature, "20 11 000c", "cb007107 c633640a 9c40 01bb"}, proxy.Header{Local: true}},
		{"local with a family of its own: discarded", []string{signature, "20 31 0002", "ffff"}, proxy.Header{Local: true}},
		{
			"v4 mapped into v6",
			[]string{signature, "21 21 0024", "00000000000000000000ffffcb007107 00000000000000000000ffffc633640a 9c40 01bb"},
			proxy.Header{Source: ap("203.0.113.7:40000"), Destination: ap("198.51.100.10:443")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wire := raw(t, tt.wire...)
			h, n, err := proxy.Parse(wire)
			if err != nil || n != len(wire) {
				t.Fatalf("Parse = %d, %v, want %d bytes", n, err, len(wire))
			}
			if diff := cmp.Diff(tt.want, h, compare); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
		})
	}
}

// A checksum is verified where one is sent.
func TestChecksum(t *testing.T) {
	wire := raw(t, signature, "21 11 0016", "cb007107 c633640a 9c40 01bb", "02 0000", "03 0004 00000000")
	binary.BigEndian.PutUint32(wire[len(wire)-4:], crc32.Checksum(wire, crc32.MakeTable(crc32.Castagnoli)))
	if _, n, err := proxy.Parse(append(bytes.Clone(wire), "body"...)); n != len(wire) || err != nil {
		t.Errorf("Parse with a right checksum = %d, %v, want %d bytes", n, err, len(wire))
	}
	for i := headSize; i < len(wire); i++ {
		if i == checksumAt(wire) {
			continue // another extension, and no checksum then
		}
		broken := bytes.Clone(wire)
		broken[i] ^= 0x10
		if _, _, err := proxy.Parse(broken); err == nil {
			t.Errorf("Parse with byte %d changed succeeds, want an error", i)
		}
	}
}

const headSize = 16

// checksumAt is where the type of the checksum stands.
func checksumAt(wire []byte) int { return len(wire) - 7 }

// What cannot be believed is refused, with the reason.
func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name string
		wire []byte
		want string
	}{
		{"version 1", []byte("PROXY TCP4 203.0.113.7 198.51.100.10 40000 443\r\n"), "version 1 is not taken; send version 2"},
		{"version 1, its first bytes", []byte("PROXY "), "version 1"},
		{"no header", []byte("GET / HTTP/1.1\r\n"), "does not begin with one"},
		{"nearly version 1", []byte("PROXX"), "does not begin with one"},
		{"TLS", []byte{0x16, 0x03, 0x01}, "does not begin with one"},
		{"version 3", raw(t, signature, "31 11 000c"), "version 3; want 2"},
		{"command", raw(t, signature, "22 11 000c"), "unknown command 2"},
		{"too long", raw(t, signature, "21 11 ffff"), "65551 bytes long; at most 536"},
		{"datagram", raw(t, signature, "21 12 000c", "cb007107 c633640a 9c40 01bb"), "0x12; want TCP"},
		{"unix", raw(t, signature, "21 31 0000"), "0x31; want TCP"},
		{"addresses cut", raw(t, signature, "21 11 000b", "cb007107 c633640a 9c40 01"), "11 bytes of addresses; want 12"},
		{"addresses cut, v6", raw(t, signature, "21 21 0000"), "0 bytes of addresses; want 36"},
		{"extension cut", raw(t, signature, "21 00 0002", "0200"), "cut short"},
		{"extension too long", raw(t, signature, "21 00 0003", "020001"), "longer than the header"},
		{"checksum of a wrong size", raw(t, signature, "21 00 0003", "030000"), "checksum"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, n, err := proxy.Parse(tt.wire)
			if err == nil || n != 0 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse = %d, %v, want an error with %q", n, err, tt.want)
			}
		})
	}
}

// A header is written and read without allocating: one is sent for every flow.
func TestNoAllocation(t *testing.T) {
	h, buf := rows[0].header, make([]byte, 0, proxy.MaxSize)
	got := testing.AllocsPerRun(100, func() {
		buf = proxy.Append(buf[:0], h)
		if _, n, err := proxy.Parse(buf); n == 0 || err != nil {
			t.Fatal(n, err)
		}
	})
	if got != 0 {
		t.Errorf("Append and Parse allocate %v times, want 0", got)
	}
}

// Whatever arrives, Parse never reads past MaxSize, agrees with itself however
// the bytes are split, and what it takes can be written and read again.
func FuzzParse(f *testing.F) {
	for _, row := range rows {
		f.Add(raw(f, row.wire...))
	}
	f.Add([]byte("PROXY TCP4 203.0.113.7 198.51.100.10 40000 443\r\n"))
	f.Add(raw(f, signature, "20 11 000c", "cb007107 c633640a 9c40 01bb"))
	f.Add(raw(f, signature, "21 00 0007", "03 0004 00000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := proxy.Parse(b)
		switch {
		case n > len(b) || n > proxy.MaxSize || n < 0:
			t.Fatalf("Parse of %d bytes = %d", len(b), n)
		case err != nil:
			return
		case n == 0 && len(b) >= proxy.MaxSize:
			t.Fatalf("Parse asks for more after %d bytes", len(b))
		case n == 0:
			return
		}
		for i := range n {
			if _, early, err := proxy.Parse(b[:i]); early != 0 || err != nil {
				t.Fatalf("Parse of %d of %d bytes = %d, %v", i, n, early, err)
			}
		}
		if hasChecksum(h.TLVs) {
			return // written again it would no longer be the sum of the bytes
		}
		again, m, err := proxy.Parse(proxy.Append(nil, h))
		if err != nil || m == 0 {
			t.Fatalf("%+v written again does not parse: %d, %v", h, m, err)
		}
		if diff := cmp.Diff(h, again, compare); diff != "" {
			t.Fatalf("written again (-first +again):\n%s", diff)
		}
	})
}

func hasChecksum(tlvs []byte) bool {
	for len(tlvs) > 0 {
		if tlvs[0] == 0x03 {
			return true
		}
		tlvs = tlvs[3+int(binary.BigEndian.Uint16(tlvs[1:])):]
	}
	return false
}
