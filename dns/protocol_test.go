package dns_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"portico/dns"
	"portico/spec"
)

// big is the world with names whose answers are long.
func big() *spec.Spec {
	want := world()
	want.Zones[0].Records = append(want.Zones[0].Records,
		spec.Record{Name: "b600", TXT: []string{strings.Repeat("x", 600)}},
		spec.Record{Name: "b1500", TXT: []string{strings.Repeat("x", 1500)}},
		spec.Record{Name: "b16000", TXT: []string{strings.Repeat("x", 16000)}},
	)
	return want
}

// TestSizes proves how long a reply may be: 512 bytes without EDNS, what the
// client takes up to 1232 with it, everything over TCP; and that a cut one is
// empty and says so.
func TestSizes(t *testing.T) {
	r := start(t, big())
	for _, tc := range []struct {
		name, network string
		size          uint16 // of EDNS; 0 is none
		cut           bool
	}{
		{"b600", "udp", 0, true},
		{"b600", "udp", 512, true},
		{"b600", "udp", 100, true},
		{"b600", "udp", 1232, false},
		{"b600", "udp", 4096, false},
		{"b1500", "udp", 4096, true},
		{"b1500", "tcp", 0, false},
		{"b1500", "tcp", 512, false},
		{"b16000", "tcp", 4096, false},
	} {
		q := query(tc.name+".example.com.", mdns.TypeTXT)
		if tc.size > 0 {
			q.SetEdns0(tc.size, false)
		}
		m := r.ask(tc.network, q)
		if m.Truncated != tc.cut || (len(m.Answer) == 0) != tc.cut || m.Rcode != mdns.RcodeSuccess || (m.IsEdns0() != nil) != (tc.size > 0) {
			t.Errorf("%s over %s with a buffer of %d: cut %v, %d answers", tc.name, tc.network, tc.size, m.Truncated, len(m.Answer))
		}
	}
}

// TestCase proves that the question comes back with the letters as they were
// sent (draft-vixie-dnsext-dns0x20), in whatever part of the name they are.
func TestCase(t *testing.T) {
	r := start(t, world())
	for _, name := range []string{"aLL.exaMPLe.cOm.", "ALL.EXAMPLE.COM.", "nOpE.Example.com.", "x.SUB.example.COM.", "Example.Net."} {
		m := r.ask("udp", query(name, mdns.TypeA))
		if m.Question[0].Name != name {
			t.Errorf("asked for %s, told of %s", name, m.Question[0].Name)
		}
		for _, rr := range m.Answer {
			if rr.Header().Name != name {
				t.Errorf("asked for %s, answered for %s", name, rr.Header().Name)
			}
		}
	}
}

// TestRefused proves what is refused or not known, and how.
func TestRefused(t *testing.T) {
	r := start(t, world())
	for _, tc := range []struct {
		name   string
		change func(*mdns.Msg)
		want   int
	}{
		{"a zone transfer", func(m *mdns.Msg) { m.SetAxfr("example.com.") }, mdns.RcodeRefused},
		{"an incremental one", func(m *mdns.Msg) { m.SetIxfr("example.com.", 1, "a.", "b.") }, mdns.RcodeRefused},
		{"class CHAOS", func(m *mdns.Msg) { m.Question[0].Qclass = mdns.ClassCHAOS }, mdns.RcodeRefused},
		{"class ANY", func(m *mdns.Msg) { m.Question[0].Qclass = mdns.ClassANY }, mdns.RcodeRefused},
		{"NOTIFY", func(m *mdns.Msg) { m.SetNotify("example.com.") }, mdns.RcodeNotImplemented},
		{"UPDATE", func(m *mdns.Msg) { m.SetUpdate("example.com.") }, mdns.RcodeNotImplemented},
		{"two questions", func(m *mdns.Msg) { m.Question = append(m.Question, m.Question[0]) }, mdns.RcodeFormatError},
		{"EDNS of a later version", func(m *mdns.Msg) { m.SetEdns0(1232, true); m.IsEdns0().SetVersion(1) }, mdns.RcodeBadVers},
	} {
		q := query("example.com.", mdns.TypeA)
		tc.change(q)
		for _, network := range []string{"udp", "tcp"} {
			if m := r.ask(network, q); m.Rcode != tc.want || len(m.Answer)+len(m.Ns) > 0 || m.Authoritative {
				t.Errorf("%s over %s: %v, want %s", tc.name, network, m, mdns.RcodeToString[tc.want])
			}
		}
	}
}

// malformed are messages that are no queries, and the outcome of the reply that
// is due; -1 is none.
var malformed = []struct {
	name string
	msg  string
	want int
}{
	{"empty", "", -1},
	{"one byte", "\x00", -1},
	{"eleven bytes", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00", -1},
	{"a reply", "\x00\x01\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03com\x00\x00\x01\x00\x01", -1},
	{"a reply that is nothing else", "\x00\x01\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00", -1},
	{"header alone", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", mdns.RcodeFormatError},
	{"name without end", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x3fcom", mdns.RcodeFormatError},
	{"name that points to itself", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", mdns.RcodeFormatError},
	{"bytes left over", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03com\x00\x00\x01\x00\x01!", mdns.RcodeFormatError},
	{"longer than any query", "\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + strings.Repeat("x", 3000), -1},
}

// TestMalformed proves that a datagram that is no query gets no more than its
// due, is counted, and is in nobody's way.
func TestMalformed(t *testing.T) {
	r := start(t, world())
	c, err := net.Dial("udp", r.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	due, dropped := 0, 0
	for _, tc := range malformed {
		if _, err := c.Write([]byte(tc.msg)); err != nil {
			t.Fatal(err)
		}
		if tc.want < 0 {
			dropped++
			continue
		}
		due++
		m := read(t, c)
		if m.Rcode != tc.want || m.Id != 1 || len(m.Question) != 0 {
			t.Errorf("%s: %v, want %s", tc.name, m, mdns.RcodeToString[tc.want])
		}
	}
	good, _ := query("host.example.com.", mdns.TypeA).Pack()
	if _, err := c.Write(good); err != nil {
		t.Fatal(err)
	}
	if m := read(t, c); len(m.Answer) != 1 {
		t.Errorf("the query after them: %v", m)
	}
	if got := r.metric("portico_dns_dropped_total", "transport", "udp"); got != float64(dropped) {
		t.Errorf("%v are counted as dropped, want %d", got, dropped)
	}
	if got := r.metric("portico_dns_replies_total", "rcode", "FORMERR"); got != float64(due) {
		t.Errorf("%v are counted as malformed, want %d", got, due)
	}
}

// read reads one reply.
func read(t *testing.T, c net.Conn) *mdns.Msg {
	t.Helper()
	buf := make([]byte, 65535)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	m := new(mdns.Msg)
	if err := m.Unpack(buf[:n]); err != nil {
		t.Fatalf("unpack %x: %v", buf[:n], err)
	}
	return m
}

// TestIPv6 proves that an IPv6 address is listened on, over both transports.
func TestIPv6(t *testing.T) {
	want := world()
	want.Sites[0].Nodes[0].DNS = []netip.AddrPort{netip.MustParseAddrPort("[::1]:0")}
	r := start(t, want)
	for _, network := range []string{"udp", "tcp"} {
		if got := addresses(r.ask(network, query("host.example.com.", mdns.TypeAAAA))); fmt.Sprint(got) != "[2001:db8::9]" {
			t.Errorf("over %s: %v", network, got)
		}
	}
}

// TestTCPPipeline proves that queries sent at once, in pieces of any size, are
// answered all and in their order, and that malformed ones between are too.
func TestTCPPipeline(t *testing.T) {
	r := start(t, world())
	var stream []byte
	names := []string{"host", "all", "nope", "www", "apex"}
	for i := range 100 {
		q := query(names[i%len(names)]+".example.com.", mdns.TypeA)
		q.Id = uint16(i)
		b, _ := q.Pack()
		if i%10 == 3 {
			b = b[:12] // a header alone
		}
		stream = append(binary.BigEndian.AppendUint16(stream, uint16(len(b))), b...)
	}
	for _, piece := range []int{1, 7, 100, len(stream)} {
		c := r.dial()
		go func() {
			for at := 0; at < len(stream); at += piece {
				if _, err := c.Write(stream[at:min(at+piece, len(stream))]); err != nil {
					return
				}
			}
		}()
		for i := range 100 {
			m, err := frame(c)
			if err != nil {
				t.Fatalf("in pieces of %d, reply %d: %v", piece, i, err)
			}
			if m.Id != uint16(i) || (m.Rcode == mdns.RcodeFormatError) != (i%10 == 3) {
				t.Fatalf("in pieces of %d, reply %d: %v", piece, i, m)
			}
		}
		_ = c.Close()
	}
}

// TestTCPBounds proves that a connection ends after so many queries, and at a
// query that is too long, and that a new one is taken when all seats are.
func TestTCPBounds(t *testing.T) {
	r := start(t, world())
	b, _ := query("host.example.com.", mdns.TypeA).Pack()
	one := append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)

	c := r.dial()
	go func() {
		for range dns.TCPQueriesMax + 1 {
			if _, err := c.Write(one); err != nil {
				return
			}
		}
	}()
	for i := range dns.TCPQueriesMax {
		if _, err := frame(c); err != nil {
			t.Fatalf("query %d: %v", i, err)
		}
	}
	if _, err := frame(c); err == nil {
		t.Errorf("more than %d queries on one connection", dns.TCPQueriesMax)
	}
	_ = c.Close()

	c = r.dial()
	long := binary.BigEndian.AppendUint16(nil, dns.TCPQueryMax+1)
	_, _ = c.Write(append(long, make([]byte, dns.TCPQueryMax+1)...))
	if _, err := frame(c); err == nil {
		t.Errorf("a query of %d bytes was read", dns.TCPQueryMax+1)
	}
	_ = c.Close()
}

// TestTCPSeats proves that where all seats are taken, the connection that is idle
// longest makes room, and those in use stay.
func TestTCPSeats(t *testing.T) {
	r := start(t, world())
	b, _ := query("host.example.com.", mdns.TypeA).Pack()
	one := append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	ask := func(c net.Conn) error {
		if _, err := c.Write(one); err != nil {
			return err
		}
		_, err := frame(c)
		return err
	}
	all := make([]net.Conn, dns.TCPConnsMax)
	for i := range all {
		all[i] = r.dial()
		defer func() { _ = all[i].Close() }()
		if i == dns.TCPConnsMax-1 || i == 0 {
			if err := ask(all[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ask(all[0]); err != nil {
		t.Fatalf("the first, while it is in use: %v", err)
	}
	late := r.dial()
	defer func() { _ = late.Close() }()
	if err := ask(late); err != nil {
		t.Errorf("one more than there are seats: %v", err)
	}
	if err := ask(all[0]); err != nil {
		t.Errorf("one that was used a moment ago: %v", err)
	}
	if _, err := frame(all[1]); err == nil {
		t.Errorf("the one that was idle longest is still there")
	}
}

func (r *running) dial() net.Conn {
	r.t.Helper()
	c, err := net.DialTimeout("tcp", r.addr(), 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// frame reads one reply over TCP.
func frame(c net.Conn) (*mdns.Msg, error) {
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	m := new(mdns.Msg)
	return m, m.Unpack(b)
}

// metric reads one metric with one label.
func (r *running) metric(name, label, value string) float64 {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label && l.GetValue() == value {
					sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return sum
}
