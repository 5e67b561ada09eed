package wire_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"

	"portico/dns/wire"
)

// message packs a query with miekg/dns, which is right about well-formed ones.
func message(tb testing.TB, change func(*mdns.Msg)) []byte {
	tb.Helper()
	m := new(mdns.Msg).SetQuestion("MyApp.Example.com.", mdns.TypeA)
	m.Id = 0x1234
	if change != nil {
		change(m)
	}
	b, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// edit packs a query and changes its bytes.
func edit(tb testing.TB, change func([]byte) []byte) []byte {
	tb.Helper()
	return change(message(tb, nil))
}

type sample struct {
	name string
	msg  []byte
	want wire.Outcome
}

// samples are messages good and bad, each with what becomes of it.
func samples(tb testing.TB) []sample {
	tb.Helper()
	opt := func(change func(*mdns.OPT)) []byte {
		return message(tb, func(m *mdns.Msg) {
			m.SetEdns0(4096, true)
			change(m.IsEdns0())
		})
	}
	count := func(at int, n uint16) []byte {
		return edit(tb, func(b []byte) []byte { binary.BigEndian.PutUint16(b[at:], n); return b })
	}
	long := strings.Repeat("a123456789012345678901234567890123456789012345678901234567890.", 4)
	return []sample{
		{"plain", message(tb, nil), wire.Good},
		{"EDNS", opt(func(*mdns.OPT) {}), wire.Good},
		{"EDNS with a cookie", opt(func(o *mdns.OPT) {
			o.Option = append(o.Option, &mdns.EDNS0_COOKIE{Code: mdns.EDNS0COOKIE, Cookie: "0123456789abcdef"})
		}), wire.Good},
		{"the root", message(tb, func(m *mdns.Msg) { m.Question[0].Name = "." }), wire.Good},
		{"longest name", message(tb, func(m *mdns.Msg) { m.Question[0].Name = long + "a2345." }), wire.Good},
		{"record beside EDNS", message(tb, func(m *mdns.Msg) {
			m.SetEdns0(1232, false)
			m.Extra = append(m.Extra, &mdns.TXT{Hdr: mdns.RR_Header{Name: "x.example.com.", Rrtype: mdns.TypeTXT, Class: 1}, Txt: []string{"x"}})
		}), wire.Good},
		{"IXFR with the serial it has", message(tb, func(m *mdns.Msg) { m.SetIxfr("example.com.", 7, "ns.example.com.", "mail.example.com.") }), wire.Good},
		{"EDNS of a later version", opt(func(o *mdns.OPT) { o.SetVersion(1) }), wire.BadEDNS},
		{"NOTIFY", message(tb, func(m *mdns.Msg) { m.SetNotify("example.com.") }), wire.NoSuch},
		{"UPDATE", message(tb, func(m *mdns.Msg) { m.SetUpdate("example.com.") }), wire.NoSuch},
		{"nothing", nil, wire.Drop},
		{"less than a header", message(tb, nil)[:11], wire.Drop},
		{"a reply", message(tb, func(m *mdns.Msg) { m.Response = true }), wire.Drop},
		{"a header alone", message(tb, nil)[:12], wire.Broken},
		{"no question", message(tb, func(m *mdns.Msg) { m.Question = nil }), wire.Broken},
		{"two questions", message(tb, func(m *mdns.Msg) { m.Question = append(m.Question, m.Question[0]) }), wire.Broken},
		{"an answer", count(6, 1), wire.Broken},
		{"an authority", count(8, 1), wire.Broken},
		{"an authority that is there", message(tb, func(m *mdns.Msg) {
			m.Ns = []mdns.RR{&mdns.NS{Hdr: mdns.RR_Header{Name: ".", Rrtype: mdns.TypeNS, Class: 1}, Ns: "."}}
		}), wire.Broken},
		{"an additional that is not there", count(10, 1), wire.Broken},
		{"very many additional", count(10, 65535), wire.Broken},
		{"a byte too many", append(message(tb, nil), 0), wire.Broken},
		{"a byte too few", message(tb, nil)[:len(message(tb, nil))-1], wire.Broken},
		{"name without end", edit(tb, func(b []byte) []byte { return b[:20] }), wire.Broken},
		{"name that points to itself", edit(tb, func(b []byte) []byte { return append(b[:12], 0xc0, 12, 0, 1, 0, 1) }), wire.Broken},
		{"label of a kind that is not used", edit(tb, func(b []byte) []byte { b[12] |= 0x40; return b }), wire.Broken},
		{"label beyond the message", edit(tb, func(b []byte) []byte { b[12] = 63; return b }), wire.Broken},
		{"name of 256 bytes", edit(tb, func(b []byte) []byte {
			name := bytes.Repeat(append([]byte{50}, bytes.Repeat([]byte("a"), 50)...), 5)
			return append(append(b[:12], name...), 0, 0, 1, 0, 1)
		}), wire.Broken},
		{"two OPT", message(tb, func(m *mdns.Msg) { m.SetEdns0(1232, false); m.Extra = append(m.Extra, m.Extra[0]) }), wire.Broken},
		{"OPT of a name", opt(func(o *mdns.OPT) { o.Hdr.Name = "a." }), wire.Broken},
		{"option longer than its OPT", edit(tb, func(b []byte) []byte {
			b[11] = 1
			return append(b, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 4, 0, 10, 0, 9)
		}), wire.Broken},
		{"OPT longer than the message", edit(tb, func(b []byte) []byte {
			b[11] = 1
			return append(b, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 4)
		}), wire.Broken},
	}
}

// TestParse proves what becomes of messages good and bad.
func TestParse(t *testing.T) {
	for _, tc := range samples(t) {
		var q wire.Query
		if got := q.Parse(tc.msg); got != tc.want {
			t.Errorf("%s: Parse(%x) = %v, want %v", tc.name, tc.msg, got, tc.want)
		}
	}
}

// TestParseFields proves that what was asked is read, and that nothing stays
// from the query before.
func TestParseFields(t *testing.T) {
	var q wire.Query
	big := message(t, func(m *mdns.Msg) { m.SetEdns0(4096, true) })
	if out := q.Parse(big); out != wire.Good || q.Limit() != wire.SizeMax || !q.EDNS {
		t.Fatalf("Parse = %v, limit %d, EDNS %v", out, q.Limit(), q.EDNS)
	}
	if out := q.Parse(message(t, nil)); out != wire.Good {
		t.Fatalf("Parse = %v", out)
	}
	if got, want := string(q.Key()), wire.Key("myapp.example.com."); got != want {
		t.Errorf("Key = %q, want %q", got, want)
	}
	if q.ID != 0x1234 || q.Type != mdns.TypeA || q.Class != wire.ClassIN || q.EDNS || q.Limit() != wire.SizeMin {
		t.Errorf("id %x, type %d, class %d, EDNS %v, limit %d", q.ID, q.Type, q.Class, q.EDNS, q.Limit())
	}
}

// TestLimit proves that the client's buffer is taken within our bounds.
func TestLimit(t *testing.T) {
	for _, tc := range []struct {
		size uint16
		want int
	}{{0, 512}, {511, 512}, {512, 512}, {800, 800}, {1232, 1232}, {1233, 1232}, {65535, 1232}} {
		var q wire.Query
		q.Parse(message(t, func(m *mdns.Msg) { m.SetEdns0(tc.size, false) }))
		if got := q.Limit(); got != tc.want {
			t.Errorf("a client that takes %d gets at most %d, want %d", tc.size, got, tc.want)
		}
	}
}

// TestReply proves that a reply repeats the question as it was sent, and which
// flags it takes over.
func TestReply(t *testing.T) {
	tail := &wire.Tail{AA: true}
	for _, tc := range []struct {
		name   string
		change func(*mdns.Msg)
		want   func(*mdns.Msg) bool
	}{
		{"case is kept", nil, func(m *mdns.Msg) bool { return m.Question[0].Name == "MyApp.Example.com." }},
		{"recursion is not offered", nil, func(m *mdns.Msg) bool { return m.RecursionDesired && !m.RecursionAvailable && m.Authoritative }},
		{"checking disabled comes back", func(m *mdns.Msg) { m.CheckingDisabled = true }, func(m *mdns.Msg) bool { return m.CheckingDisabled }},
		{"authentic data does not", func(m *mdns.Msg) { m.AuthenticatedData = true }, func(m *mdns.Msg) bool { return !m.AuthenticatedData }},
		{"no EDNS unasked", nil, func(m *mdns.Msg) bool { return m.IsEdns0() == nil }},
		{"EDNS", func(m *mdns.Msg) { m.SetEdns0(4096, false) }, func(m *mdns.Msg) bool {
			o := m.IsEdns0()
			return o != nil && o.UDPSize() == wire.SizeMax && !o.Do() && o.Version() == 0 && len(o.Option) == 0
		}},
		{"DNSSEC bit comes back", func(m *mdns.Msg) { m.SetEdns0(4096, true) }, func(m *mdns.Msg) bool { return m.IsEdns0().Do() }},
	} {
		var q wire.Query
		q.Parse(message(t, tc.change))
		b, cut := q.AppendReply(nil, tail, q.Limit())
		m := new(mdns.Msg)
		if err := m.Unpack(b); err != nil || cut || !m.Response || m.Id != 0x1234 || !tc.want(m) {
			t.Errorf("%s: %v, %v, cut %v", tc.name, err, m, cut)
		}
	}
}

// TestReplyCut proves that additional records go first where space is short, and
// that then the sections are empty and say so.
func TestReplyCut(t *testing.T) {
	rr := func(name string, n int) []byte {
		b := append([]byte(wire.Key(name)), 0, 16, 0, 1, 0, 0, 0, 1)
		b = binary.BigEndian.AppendUint16(b, uint16(n+1))
		return append(append(b, byte(n)), bytes.Repeat([]byte("x"), n)...)
	}
	answer, glue := rr("example.com", 200), rr("example.com", 200)
	tail := &wire.Tail{Bytes: append(bytes.Clone(answer), glue...), Need: len(answer), Counts: [3]uint16{1, 0, 1}}
	var q wire.Query
	q.Parse(message(t, func(m *mdns.Msg) { m.SetEdns0(1232, false) }))
	base := wire.HeaderLen + len("\x05myapp\x07example\x03com\x00") + 4 + 11
	for _, tc := range []struct {
		name          string
		limit         int
		answer, extra int
		cut           bool
	}{
		{"all fits", base + len(tail.Bytes), 1, 2, false},
		{"a byte short", base + len(tail.Bytes) - 1, 1, 1, false},
		{"the answer alone", base + len(answer), 1, 1, false},
		{"nothing", base + len(answer) - 1, 0, 1, true},
	} {
		b, cut := q.AppendReply(nil, tail, tc.limit)
		m := new(mdns.Msg)
		if err := m.Unpack(b); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if len(m.Answer) != tc.answer || len(m.Extra) != tc.extra || m.Truncated != tc.cut || cut != tc.cut || len(b) > tc.limit {
			t.Errorf("%s: %d answers, %d additional, cut %v, %d bytes of %d", tc.name, len(m.Answer), len(m.Extra), cut, len(b), tc.limit)
		}
	}
}

// TestErrors proves that a message that was not understood gets a header alone,
// and a later EDNS its own outcome (RFC 6891, section 6.1.3).
func TestErrors(t *testing.T) {
	var q wire.Query
	q.Parse(message(t, func(m *mdns.Msg) { m.SetNotify("example.com.") }))
	m := new(mdns.Msg)
	if err := m.Unpack(q.AppendError(nil, wire.NotImp)); err != nil || m.Rcode != mdns.RcodeNotImplemented || m.Opcode != mdns.OpcodeNotify || len(m.Question) != 0 {
		t.Errorf("NOTIFY: %v, %v", err, m)
	}
	q.Parse(message(t, func(m *mdns.Msg) { m.SetEdns0(512, false); m.IsEdns0().SetVersion(3) }))
	b, _ := q.AppendReply(nil, &wire.Tail{RCode: wire.BadVers}, 512)
	if err := m.Unpack(b); err != nil || m.IsEdns0().ExtendedRcode()|m.Rcode != mdns.RcodeBadVers || m.IsEdns0().Version() != 0 {
		t.Errorf("later EDNS: %v, %v", err, m)
	}
}

// TestKey proves that names written and names read have the same key.
func TestKey(t *testing.T) {
	for _, name := range []string{".", "com.", "a.b.c.example.com.", "_x-1.example."} {
		var q wire.Query
		q.Parse(message(t, func(m *mdns.Msg) { m.Question[0].Name = strings.ToUpper(name) }))
		if got := wire.Key(name); got != string(q.Key()) {
			t.Errorf("Key(%q) = %q, want %q", name, got, q.Key())
		}
	}
	if got := string(wire.Parent([]byte(wire.Key("a.b.")))); got != wire.Key("b.") {
		t.Errorf("Parent = %q", got)
	}
}

// TestAllocs proves that neither reading nor replying allocates.
func TestAllocs(t *testing.T) {
	var q wire.Query
	tail := &wire.Tail{AA: true, Bytes: make([]byte, 16), Need: 16, Counts: [3]uint16{1}}
	msg, buf := message(t, func(m *mdns.Msg) { m.SetEdns0(1232, true) }), make([]byte, 0, 1232)
	if n := testing.AllocsPerRun(100, func() {
		q.Parse(msg)
		q.AppendReply(buf, tail, q.Limit())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse proves that no message panics, that a good one is read as another
// reader reads it, and that the reply to any is well-formed.
func FuzzParse(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.msg)
	}
	tail := &wire.Tail{AA: true, Bytes: []byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1}, Need: 16, Counts: [3]uint16{1}}
	f.Fuzz(func(t *testing.T, msg []byte) {
		var q wire.Query
		var reply []byte
		switch out := q.Parse(msg); out {
		case wire.Drop:
			if len(msg) >= wire.HeaderLen && msg[2]&0x80 == 0 {
				t.Fatalf("dropped a query")
			}
			return
		case wire.Broken, wire.NoSuch:
			reply = q.AppendError(nil, wire.FormErr)
		case wire.Good:
			agree(t, &q, msg)
			reply, _ = q.AppendReply(nil, tail, q.Limit())
			if len(reply) > q.Limit() {
				t.Fatalf("a reply of %d bytes, at most %d", len(reply), q.Limit())
			}
		case wire.BadEDNS:
			reply, _ = q.AppendReply(nil, &wire.Tail{RCode: wire.BadVers}, q.Limit())
		}
		m := new(mdns.Msg)
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("reply %x to %x: %v", reply, msg, err)
		}
		if m.Id != binary.BigEndian.Uint16(msg) || !m.Response {
			t.Fatalf("reply with id %x, response %v", m.Id, m.Response)
		}
	})
}

// agree compares a good query with the reading of miekg/dns. That reader also
// reads the data of records that are none of ours, so it may refuse more.
func agree(t *testing.T, q *wire.Query, msg []byte) {
	t.Helper()
	m := new(mdns.Msg)
	if err := m.Unpack(msg); err != nil || len(m.Question) != 1 {
		return
	}
	asked := m.Question[0]
	key := make([]byte, 512)
	n, err := mdns.PackDomainName(asked.Name, key, 0, nil, false)
	if err != nil || !bytes.EqualFold(key[:n], q.Key()) {
		t.Fatalf("name %q, key %q, %v", asked.Name, q.Key(), err)
	}
	opt := m.IsEdns0()
	if asked.Qtype != q.Type || asked.Qclass != q.Class || m.Id != q.ID || q.EDNS != (opt != nil) {
		t.Fatalf("read type %d class %d id %d EDNS %v from %v", q.Type, q.Class, q.ID, q.EDNS, m)
	}
	if opt != nil && q.Limit() != int(min(max(opt.UDPSize(), 512), 1232)) {
		t.Fatalf("limit %d of %d", q.Limit(), opt.UDPSize())
	}
}
