package exchange_test

import (
	"net/netip"
	"testing"

	"portico/l7/exchange"
	"portico/l7/message"
)

const (
	benchRequest = "GET /images/logo.png?v=3 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" +
		"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-US,en;q=0.5\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"
	benchHead = "HTTP/1.1 200 OK\r\nServer: target\r\nDate: Mon, 23 Nov 2026 20:00:00 GMT\r\nContent-Type: image/png\r\nContent-Length: 1024\r\n\r\n"
)

// exchangeOnce is one keep-alive request over a pooled connection, with every
// event and action of it.
func exchangeOnce(tb testing.TB, m *exchange.Machine, request, response []byte) {
	tb.Helper()
	var a exchange.Action
	dialed, pooled := false, false
	step := func() {
		for m.Next(&a) {
			switch a.Kind {
			case exchange.Dial:
				m.Connected(true, epoch)
				dialed = true
			case exchange.Send:
				m.Sent(a.Side, epoch)
			case exchange.Pool:
				pooled = true
			default:
				tb.Fatalf("action %s", a.Kind)
			}
		}
	}
	if n := m.Bytes(exchange.ClientSide, request, epoch); n != len(request) {
		tb.Fatalf("%d of %d bytes were taken", n, len(request))
	}
	step()
	for len(response) > 0 { // the head, then the body
		response = response[m.Bytes(exchange.TargetSide, response, epoch):]
	}
	step()
	if !dialed || !pooled || !m.Idle() {
		tb.Fatal("the request is not over")
	}
}

func benchMachine() *exchange.Machine {
	h := newHandler()
	m := &exchange.Machine{}
	m.Start(exchange.Options{
		Client:   &message.Client{Peer: netip.MustParseAddrPort("192.0.2.1:1000")},
		Handlers: h,
		Memories: h,
	}, epoch)
	return m
}

// TestNoAllocation proves that a request on the common path allocates nothing.
func TestNoAllocation(t *testing.T) {
	m := benchMachine()
	request, response := []byte(benchRequest), append([]byte(benchHead), make([]byte, 1024)...)
	exchangeOnce(t, m, request, response)
	if n := testing.AllocsPerRun(1000, func() { exchangeOnce(t, m, request, response) }); n != 0 {
		t.Errorf("a request allocates %v times, want 0", n)
	}
}

// BenchmarkExchange is the machine's cost of one keep-alive request of 1 KiB.
func BenchmarkExchange(b *testing.B) {
	m := benchMachine()
	request, response := []byte(benchRequest), append([]byte(benchHead), make([]byte, 1024)...)
	b.ReportAllocs()
	for b.Loop() {
		exchangeOnce(b, m, request, response)
	}
}

// streamOnce is one request that is a stream, and so is its target's side.
func streamOnce(tb testing.TB, m *exchange.Machine, o exchange.Options, body []byte) {
	tb.Helper()
	m.StartStream(o, epoch)
	req, octets := m.RequestRoom()
	*octets = append(*octets, "GET/"...)
	req.Method, req.Path, req.Target = (*octets)[:3], (*octets)[3:], (*octets)[3:]
	req.Fields = append(req.Fields, message.Field{Name: nameAgent, Value: valueAgent})
	m.Whole(exchange.ClientSide, true, epoch)
	pump(tb, m)
	resp, _ := m.ResponseRoom()
	resp.Status, resp.Framing, resp.Length = 200, message.Length, int64(len(body))
	m.Whole(exchange.TargetSide, false, epoch)
	for len(body) > 0 {
		body = body[m.Bytes(exchange.TargetSide, body, epoch):]
	}
	m.Last(exchange.TargetSide, epoch)
	pump(tb, m)
	if !m.Done() {
		tb.Fatal("the request is not over")
	}
}

var (
	nameAgent  = []byte("user-agent")
	valueAgent = []byte("h2load nghttp2/1.52.0")
)

// pump does what the machine asks for.
func pump(tb testing.TB, m *exchange.Machine) {
	tb.Helper()
	var a exchange.Action
	for m.Next(&a) {
		switch a.Kind {
		case exchange.Dial:
			m.ConnectedStream(true, epoch)
		case exchange.Send:
			m.Sent(a.Side, epoch)
		case exchange.Shut:
			tb.Fatalf("action %s", a.Kind)
		case exchange.Pool, exchange.Close:
		}
	}
}

func benchOptions() exchange.Options {
	h := newHandler()
	return exchange.Options{
		Client:   &message.Client{Peer: netip.MustParseAddrPort("192.0.2.1:1000")},
		Handlers: h,
		Memories: h,
	}
}

// TestStreamNoAllocation proves that a stream on the common path allocates nothing.
func TestStreamNoAllocation(t *testing.T) {
	m, o, body := &exchange.Machine{}, benchOptions(), make([]byte, 1024)
	if n := testing.AllocsPerRun(1000, func() { streamOnce(t, m, o, body) }); n != 0 {
		t.Errorf("a request allocates %v times, want 0", n)
	}
}

// BenchmarkStream is the machine's cost of one request of 1 KiB between streams.
func BenchmarkStream(b *testing.B) {
	m, o, body := &exchange.Machine{}, benchOptions(), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		streamOnce(b, m, o, body)
	}
}
