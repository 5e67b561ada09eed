package load_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// answering decides what a fake DNS server says: the records' addresses, a code,
// or nothing at all.
type answering func(q dnsmessage.Question, tcp bool) said

type said struct {
	addresses []string
	ttl       uint32
	code      dnsmessage.RCode
	truncated bool
	silent    bool
}

// fakeDNS is a server on UDP and TCP.
type fakeDNS struct {
	addr    netip.AddrPort
	queries atomic.Int64
	from    atomic.Value // netip.Addr of the last query over UDP
	answer  atomic.Value // answering
}

func newDNS(t *testing.T, a answering) *fakeDNS {
	t.Helper()
	udp, tcp := listenBoth(t)
	f := &fakeDNS{addr: udp.LocalAddr().(*net.UDPAddr).AddrPort()}
	f.answer.Store(a)
	go f.serveUDP(udp)
	go f.serveTCP(tcp)
	t.Cleanup(func() {
		_ = udp.Close()
		_ = tcp.Close()
	})
	return f
}

// listenBoth listens on one port of UDP and TCP.
func listenBoth(t *testing.T) (udp *net.UDPConn, tcp net.Listener) {
	t.Helper()
	for range 100 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(tcp.Addr().(*net.TCPAddr).AddrPort()))
		if err == nil {
			return udp, tcp
		}
		_ = tcp.Close()
	}
	t.Fatal("no port is free for TCP and UDP")
	return nil, nil
}

// is makes a server that always says the same.
func is(s said) answering { return func(dnsmessage.Question, bool) said { return s } }

// v4 answers a question for IPv4 addresses, and has none of IPv6.
func v4(ttl uint32, addresses ...string) answering {
	return func(q dnsmessage.Question, _ bool) said {
		if q.Type != dnsmessage.TypeA {
			return said{}
		}
		return said{addresses: addresses, ttl: ttl}
	}
}

func (f *fakeDNS) serveUDP(conn *net.UDPConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		f.from.Store(from.Addr())
		if m := f.reply(buf[:n], false); m != nil {
			_, _ = conn.WriteToUDPAddrPort([]byte{9, 9, 9}, from) // what is no reply is passed over
			_, _ = conn.WriteToUDPAddrPort(m, from)
		}
	}
}

func (f *fakeDNS) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		var length [2]byte
		_, _ = io.ReadFull(conn, length[:])
		m := make([]byte, binary.BigEndian.Uint16(length[:]))
		_, _ = io.ReadFull(conn, m)
		if m = f.reply(m, true); m != nil {
			_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
		}
		_ = conn.Close()
	}
}

func (f *fakeDNS) reply(query []byte, tcp bool) []byte {
	f.queries.Add(1)
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	s := f.answer.Load().(answering)(m.Questions[0], tcp)
	if s.silent {
		return nil
	}
	m.Response, m.RCode, m.Truncated, m.Additionals = true, s.code, s.truncated, nil
	for _, text := range s.addresses {
		a := netip.MustParseAddr(text)
		var body dnsmessage.ResourceBody = &dnsmessage.AAAAResource{AAAA: a.As16()}
		if a.Is4() {
			body = &dnsmessage.AResource{A: a.As4()}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: s.ttl},
			Body:   body,
		})
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}
