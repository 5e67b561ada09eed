package h2_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	xhpack "golang.org/x/net/http2/hpack"

	"portico/l7/h2"
	"portico/l7/http1"
	"portico/l7/message"
)

// client writes frames, right ones and wrong ones, with another implementation.
type client struct {
	*http2.Framer
	out   bytes.Buffer
	block bytes.Buffer
	enc   *xhpack.Encoder
}

func newClient() *client {
	c := &client{}
	c.Framer = http2.NewFramer(&c.out, nil)
	c.AllowIllegalWrites = true
	c.enc = xhpack.NewEncoder(&c.block)
	c.out.WriteString(h2.Preface)
	_ = c.WriteSettings()
	_ = c.WriteSettingsAck()
	return c
}

// fields is a header block: "name: value" lines.
func (c *client) fields(lines ...string) []byte {
	c.block.Reset()
	for _, l := range lines {
		at := strings.Index(l[1:], ": ") + 1
		_ = c.enc.WriteField(xhpack.HeaderField{Name: l[:at], Value: l[at+2:]})
	}
	return bytes.Clone(c.block.Bytes())
}

// get is a request without a body.
var get = []string{":method: GET", ":scheme: http", ":authority: x.test", ":path: /"}

func (c *client) open(id uint32, end bool, lines ...string) {
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields(lines...), EndStream: end, EndHeaders: true})
}

// verdicts are what a server wrote about streams and the connection.
type verdicts struct {
	resets map[uint32]http2.ErrCode
	goAway *http2.ErrCode
	acks   int
	pongs  int
}

func read(t *testing.T, out []byte) verdicts {
	t.Helper()
	v := verdicts{resets: map[uint32]http2.ErrCode{}}
	f := http2.NewFramer(io.Discard, bytes.NewReader(out))
	for {
		fr, err := f.ReadFrame()
		if errors.Is(err, io.EOF) {
			return v
		}
		if err != nil {
			t.Fatalf("the server wrote what is no frame: %v", err)
		}
		switch fr := fr.(type) {
		case *http2.RSTStreamFrame:
			v.resets[fr.StreamID] = fr.ErrCode
		case *http2.GoAwayFrame:
			v.goAway = &fr.ErrCode
		case *http2.SettingsFrame:
			if fr.IsAck() {
				v.acks++
			}
		case *http2.PingFrame:
			v.pongs++
		}
	}
}

// TestMistakes proves that each mistake of a peer ends the stream, or the
// connection, by the code that the standard names.
func TestMistakes(t *testing.T) {
	const none = http2.ErrCode(0xffff)
	tests := []struct {
		name   string
		does   func(c *client)
		reset  http2.ErrCode // of stream 1
		goAway http2.ErrCode
	}{
		{"nothing", func(c *client) { c.open(1, true, get...) }, none, none},
		{"unknown frame", func(c *client) { _ = c.WriteRawFrame(0x16, 0, 0, []byte("x")); c.open(1, true, get...) }, none, none},
		{"DATA of an idle stream", func(c *client) { _ = c.WriteData(1, true, []byte("x")) }, none, http2.ErrCodeProtocol},
		{"RST_STREAM of an idle stream", func(c *client) { _ = c.WriteRSTStream(1, 0) }, none, http2.ErrCodeProtocol},
		{"WINDOW_UPDATE of an idle stream", func(c *client) { _ = c.WriteWindowUpdate(1, 1) }, none, http2.ErrCodeProtocol},
		{"CONTINUATION without HEADERS", func(c *client) { _ = c.WriteContinuation(1, true, nil) }, none, http2.ErrCodeProtocol},
		{"even stream", func(c *client) { c.open(2, true, get...) }, none, http2.ErrCodeProtocol},
		{"older stream", func(c *client) { c.open(5, true, get...); c.open(3, true, get...) }, none, http2.ErrCodeProtocol},
		{"DATA after the end", func(c *client) { c.open(1, true, get...); _ = c.WriteData(1, true, nil) }, http2.ErrCodeStreamClosed, none},
		{"HEADERS after the end", func(c *client) { c.open(1, true, get...); c.open(1, true, get...) }, http2.ErrCodeStreamClosed, none},
		{"HEADERS after a reset", func(c *client) { c.open(1, false, get...); _ = c.WriteRSTStream(1, 0); c.open(1, true, get...) }, none, http2.ErrCodeStreamClosed},
		{"DATA after a reset", func(c *client) { c.open(1, false, get...); _ = c.WriteRSTStream(1, 0); _ = c.WriteData(1, true, nil) }, http2.ErrCodeStreamClosed, none},
		{"trailers without an end", func(c *client) { c.open(1, false, get...); c.open(1, false, "a: b") }, http2.ErrCodeProtocol, none},
		{"pseudo-field in trailers", func(c *client) { c.open(1, false, get...); c.open(1, true, ":path: /") }, http2.ErrCodeProtocol, none},
		{"PUSH_PROMISE", func(c *client) { _ = c.WriteRawFrame(5, 4, 1, []byte{0, 0, 0, 2}) }, none, http2.ErrCodeProtocol},
		{"a stream that depends on itself", func(c *client) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(get...), EndHeaders: true, Priority: http2.PriorityParam{StreamDep: 1}})
		}, http2.ErrCodeProtocol, none},
		{"PRIORITY of a wrong size", func(c *client) { _ = c.WriteRawFrame(2, 0, 1, []byte{0}) }, http2.ErrCodeFrameSize, none},
		{"PRIORITY of itself", func(c *client) { _ = c.WritePriority(1, http2.PriorityParam{StreamDep: 1}) }, http2.ErrCodeProtocol, none},
		{"PRIORITY without a stream", func(c *client) { _ = c.WritePriority(0, http2.PriorityParam{StreamDep: 1}) }, none, http2.ErrCodeProtocol},
		{"PING of a wrong size", func(c *client) { _ = c.WriteRawFrame(6, 0, 0, []byte{0}) }, none, http2.ErrCodeFrameSize},
		{"PING on a stream", func(c *client) { _ = c.WriteRawFrame(6, 0, 1, make([]byte, 8)) }, none, http2.ErrCodeProtocol},
		{"SETTINGS on a stream", func(c *client) { _ = c.WriteRawFrame(4, 0, 1, nil) }, none, http2.ErrCodeProtocol},
		{"SETTINGS of a wrong size", func(c *client) { _ = c.WriteRawFrame(4, 0, 0, []byte{0}) }, none, http2.ErrCodeFrameSize},
		{"SETTINGS acknowledged with a payload", func(c *client) { _ = c.WriteRawFrame(4, 1, 0, make([]byte, 6)) }, none, http2.ErrCodeFrameSize},
		{"ENABLE_PUSH of 2", func(c *client) { _ = c.WriteSettings(http2.Setting{ID: 2, Val: 2}) }, none, http2.ErrCodeProtocol},
		{"a window beyond all", func(c *client) { _ = c.WriteSettings(http2.Setting{ID: 4, Val: 1 << 31}) }, none, http2.ErrCodeFlowControl},
		{"frames too small", func(c *client) { _ = c.WriteSettings(http2.Setting{ID: 5, Val: 1}) }, none, http2.ErrCodeProtocol},
		{"WINDOW_UPDATE of nothing", func(c *client) { _ = c.WriteWindowUpdate(0, 0) }, none, http2.ErrCodeProtocol},
		{"WINDOW_UPDATE of nothing for a stream", func(c *client) { c.open(1, false, get...); _ = c.WriteWindowUpdate(1, 0) }, http2.ErrCodeProtocol, none},
		{"WINDOW_UPDATE beyond all", func(c *client) { _ = c.WriteWindowUpdate(0, 1<<31-1) }, none, http2.ErrCodeFlowControl},
		{"WINDOW_UPDATE beyond all for a stream", func(c *client) { c.open(1, false, get...); _ = c.WriteWindowUpdate(1, 1<<31-1) }, http2.ErrCodeFlowControl, none},
		{"WINDOW_UPDATE of a wrong size", func(c *client) { _ = c.WriteRawFrame(8, 0, 0, []byte{0}) }, none, http2.ErrCodeFrameSize},
		{"GOAWAY of a wrong size", func(c *client) { _ = c.WriteRawFrame(7, 0, 0, []byte{0}) }, none, http2.ErrCodeFrameSize},
		{"a frame too large", func(c *client) { c.open(1, false, get...); _ = c.WriteRawFrame(0, 0, 1, make([]byte, 16385)) }, none, http2.ErrCodeFrameSize},
		{"padding longer than DATA", func(c *client) { c.open(1, false, get...); _ = c.WriteRawFrame(0, 8, 1, []byte{9, 0}) }, none, http2.ErrCodeProtocol},
		{"padding longer than HEADERS", func(c *client) { _ = c.WriteRawFrame(1, 0xc, 1, []byte{9, 0}) }, none, http2.ErrCodeProtocol},
		{"a head that is none", func(c *client) { _ = c.WriteRawFrame(1, 4, 1, []byte{0xff}) }, none, http2.ErrCodeCompression},
		{"a frame within a head", func(c *client) {
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(get...)})
			_ = c.WritePing(false, [8]byte{})
		}, none, http2.ErrCodeProtocol},
		{"DATA beyond the window of a stream", func(c *client) {
			c.open(1, false, get...)
			for range 5 {
				_ = c.WriteData(1, false, make([]byte, 16384))
			}
		}, http2.ErrCodeFlowControl, none},
		{"DATA longer than announced", func(c *client) {
			c.open(1, false, append(get, "content-length: 3")...)
			_ = c.WriteData(1, false, []byte("four"))
		}, http2.ErrCodeProtocol, none},
		{"DATA shorter than announced", func(c *client) {
			c.open(1, false, append(get, "content-length: 3")...)
			_ = c.WriteData(1, true, []byte("no"))
		}, http2.ErrCodeProtocol, none},
		{"no DATA though announced", func(c *client) { c.open(1, true, append(get, "content-length: 3")...) }, http2.ErrCodeProtocol, none},
		{"trailers before all that was announced", func(c *client) { c.open(1, false, append(get, "content-length: 3")...); c.open(1, true, "a: b") }, http2.ErrCodeProtocol, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{1 << 20, 1} {
				v := serve(t, tt.does, n)
				if got, ok := v.resets[1]; ok != (tt.reset != none) || ok && got != tt.reset {
					t.Errorf("by %d: stream 1 was reset: %v, by %v, want %v", n, ok, got, tt.reset)
				}
				if (v.goAway != nil) != (tt.goAway != none) || v.goAway != nil && *v.goAway != tt.goAway {
					t.Errorf("by %d: GOAWAY %v, want %v", n, v.goAway, tt.goAway)
				}
			}
		})
	}
}

// serve gives a server what a client does, in pieces of n bytes, and reads what it
// says to that. What it holds is taken late.
func serve(t *testing.T, does func(*client), n int) verdicts {
	t.Helper()
	c, s := newClient(), newEnd(t, h2.Options{})
	s.lazy = true
	does(c)
	for in := c.out.Bytes(); len(in) > 0; {
		k := min(n, len(in))
		s.hear(bytes.Clone(in[:k]))
		in = in[k:]
	}
	return read(t, s.c.Output())
}

// TestGreeting proves that what is no preface ends the connection, and that one that
// does not come does so in time.
func TestGreeting(t *testing.T) {
	for _, in := range []string{"GET / HTTP/1.1\r\n", h2.Preface[:20] + "xxxx", h2.Preface + "\x00\x00\x00\x04\x01\x00\x00\x00\x00", h2.Preface + "\x00\x00\x08\x06\x00\x00\x00\x00\x00"} {
		s := newEnd(t, h2.Options{})
		s.hear([]byte(in))
		if s.c.Err() == nil || !s.c.Done() {
			t.Errorf("%q is no error", in)
		}
	}
	s := newEnd(t, h2.Options{})
	at := s.c.Deadline()
	s.c.Tick(at.Add(-1))
	if s.c.Err() != nil {
		t.Errorf("before its time: %v", s.c.Err())
	}
	s.c.Tick(at)
	if s.c.Err() == nil {
		t.Error("a client that says nothing is waited for")
	}
	s = newEnd(t, h2.Options{})
	s.hear([]byte(h2.Preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
	s.c.Tick(s.c.Deadline())
	if v := read(t, s.c.Output()); v.goAway == nil || *v.goAway != http2.ErrCodeSettingsTimeout {
		t.Errorf("settings were not acknowledged: %v", v.goAway)
	}
}

// TestHeads proves what a head of a request means, or why it is refused: by the
// status of an answer, or as malformed by a reset.
func TestHeads(t *testing.T) {
	with := func(lines ...string) []string { return append(append([]string(nil), get...), lines...) }
	tests := []struct {
		name   string
		lines  []string
		end    bool
		status int // 0: accepted, 1: malformed
		fields string
	}{
		{"plain", with("accept: a"), true, 0, "accept: a|"},
		{"host that agrees", with("host: X.test"), true, 0, ""},
		{"host alone", []string{":method: GET", ":scheme: http", ":path: /", "host: x.test"}, true, 0, ""},
		{"host that differs", with("host: y.test"), true, 400, ""},
		{"two hosts", with("host: x.test", "host: x.test"), true, 1, ""},
		{"no host", []string{":method: GET", ":scheme: http", ":path: /"}, true, 400, ""},
		{"userinfo", []string{":method: GET", ":scheme: http", ":authority: a@x.test", ":path: /"}, true, 400, ""},
		{"cookies", with("cookie: a=b", "x: y", "cookie: c=d", "cookie: e=f"), true, 0, "cookie: a=b; c=d; e=f|x: y|"},
		{"te", with("te: trailers"), true, 0, "te: trailers|"},
		{"another te", with("te: gzip"), true, 1, ""},
		{"name in upper case", with("Accept: a"), true, 1, ""},
		{"name that is no token", with("a b: c"), true, 1, ""},
		{"line end in a name", with("a\r\nb: c"), true, 1, ""},
		{"line end in a value", with("a: b\r\nhost: y"), true, 1, ""},
		{"NUL in a value", with("a: b\x00"), true, 1, ""},
		{"blank before a value", with("a:  b"), true, 1, ""},
		{"blank after a value", with("a: b\t"), true, 1, ""},
		{"connection", with("connection: close"), true, 1, ""},
		{"keep-alive", with("keep-alive: x"), true, 1, ""},
		{"proxy-connection", with("proxy-connection: x"), true, 1, ""},
		{"transfer-encoding", with("transfer-encoding: chunked"), false, 1, ""},
		{"upgrade", with("upgrade: websocket"), true, 1, ""},
		{"two lengths", with("content-length: 1", "content-length: 1"), false, 1, ""},
		{"a length that is none", with("content-length: +1"), false, 1, ""},
		{"unknown pseudo-field", with(":x: y"), true, 1, ""},
		{":status", with(":status: 200"), true, 1, ""},
		{":protocol without CONNECT", with(":protocol: websocket"), true, 1, ""},
		{"pseudo-field after others", append([]string{"a: b"}, get...), true, 1, ""},
		{"two :method", with(":method: GET"), true, 1, ""},
		{"two :path", with(":path: /"), true, 1, ""},
		{"two :scheme", with(":scheme: http"), true, 1, ""},
		{"two :authority", with(":authority: x.test"), true, 1, ""},
		{"no :method", get[1:], true, 1, ""},
		{"no :scheme", []string{get[0], get[2], get[3]}, true, 1, ""},
		{"no :path", get[:3], true, 1, ""},
		{"empty :path", append(append([]string(nil), get[:3]...), ":path: "), true, 1, ""},
		{":path of another form", append(append([]string(nil), get[:3]...), ":path: x"), true, 1, ""},
		{":path with blanks", append(append([]string(nil), get[:3]...), ":path: / HTTP/1.1"), true, 400, ""},
		{":path that hides dots", append(append([]string(nil), get[:3]...), ":path: /a/..%2fb"), true, 400, ""},
		{"* of another method", append(append([]string(nil), get[:3]...), ":path: *"), true, 1, ""},
		{":method that is none", []string{":method: G T", get[1], get[2], get[3]}, true, 1, ""},
		{":scheme that is none", []string{get[0], ":scheme: ftp", get[2], get[3]}, true, 1, ""},
		{"expectation", with("expect: magic"), false, 417, ""},
		{"CONNECT", []string{":method: CONNECT", ":authority: x.test:443"}, false, 0, ""},
		{"CONNECT without a port", []string{":method: CONNECT", ":authority: x.test"}, false, 400, ""},
		{"CONNECT with a path", []string{":method: CONNECT", ":authority: x.test:443", ":path: /"}, false, 1, ""},
		{"CONNECT of a protocol nobody offered", []string{":method: CONNECT", ":protocol: websocket", get[1], get[2], get[3]}, false, 1, ""},
		{"too large", with("a: " + strings.Repeat("x", 20000)), true, 431, ""},
		{"too many", with(strings.Split(strings.Repeat("a: b\n", 100)+"c: d", "\n")...), true, 431, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, s := newClient(), newEnd(t, h2.Options{})
			block := c.fields(tt.lines...)
			_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:min(len(block), 16000)], EndStream: tt.end, EndHeaders: len(block) <= 16000})
			if len(block) > 16000 {
				_ = c.WriteContinuation(1, true, block[16000:])
			}
			s.hear(c.out.Bytes())
			if s.c.Err() != nil || len(s.heard) != 1 {
				t.Fatalf("%d streams, %v", len(s.heard), s.c.Err())
			}
			h := s.heard[0]
			status := 0
			if e, ok := errors.AsType[*http1.Error](h.err); ok {
				status = e.Status
			} else if errors.Is(h.err, h2.ErrMalformed) {
				status = 1
			}
			if status != tt.status || (h.gone != nil) != (tt.status == 1) {
				t.Fatalf("status %d (%v), gone %v, want %d", status, h.err, h.gone, tt.status)
			}
			if status == 0 && text(h.req.Fields) != tt.fields {
				t.Errorf("fields %s, want %s", text(h.req.Fields), tt.fields)
			}
		})
	}
}

// TestFraming proves how the body of a request ends, as its target will be told.
func TestFraming(t *testing.T) {
	tests := []struct {
		method  string
		length  string
		end     bool
		framing message.Framing
		n       int64
	}{
		{"GET", "", true, message.NoBody, 0},
		{"GET", "0", true, message.Length, 0},
		{"POST", "", true, message.Length, 0},
		{"POST", "", false, message.Chunked, 0},
		{"POST", "7", false, message.Length, 7},
	}
	for _, tt := range tests {
		c, s := newClient(), newEnd(t, h2.Options{})
		lines := []string{":method: " + tt.method, ":scheme: https", ":authority: x.test", ":path: /"}
		if tt.length != "" {
			lines = append(lines, "content-length: "+tt.length)
		}
		c.open(1, tt.end, lines...)
		s.hear(c.out.Bytes())
		if r := s.heard[0].req; r.Framing != tt.framing || r.Length != tt.n {
			t.Errorf("%s, length %q, end %v: framing %d, length %d", tt.method, tt.length, tt.end, r.Framing, r.Length)
		}
	}
}

// TestFloods proves that a peer that makes us work for nothing is stopped.
func TestFloods(t *testing.T) {
	tests := []struct {
		name string
		does func(c *client, i int)
	}{
		{"rapid reset", func(c *client, i int) {
			id := uint32(2*i + 1)
			c.open(id, true, get...)
			_ = c.WriteRSTStream(id, http2.ErrCodeCancel)
		}},
		{"mistakes", func(c *client, i int) { c.open(uint32(2*i+1), true, append([]string{"a: b"}, get...)...) }},
		{"PING", func(c *client, _ int) { _ = c.WritePing(false, [8]byte{}) }},
		{"SETTINGS", func(c *client, _ int) { _ = c.WriteSettings() }},
		{"PRIORITY", func(c *client, _ int) { _ = c.WritePriority(1, http2.PriorityParam{}) }},
		{"WINDOW_UPDATE", func(c *client, _ int) { _ = c.WriteWindowUpdate(0, 1) }},
		{"unknown frames", func(c *client, _ int) { _ = c.WriteRawFrame(0x20, 0, 0, nil) }},
		{"empty DATA", func(c *client, i int) {
			if i == 0 {
				c.open(1, false, get...)
			}
			_ = c.WriteData(1, false, nil)
		}},
		{"CONTINUATION", func(c *client, i int) {
			if i == 0 {
				_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(get...)})
			}
			_ = c.WriteContinuation(1, false, nil)
		}},
		{"a head without end", func(c *client, i int) {
			if i == 0 {
				_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(get...)})
			}
			_ = c.WriteContinuation(1, false, c.fields("a: "+strings.Repeat("x", 9000)))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, s := newClient(), newEnd(t, h2.Options{})
			for i := range 2000 {
				tt.does(c, i)
				s.hear(bytes.Clone(c.out.Bytes()))
				c.out.Reset()
				s.closeGone()
				if s.c.Err() != nil {
					break
				}
			}
			if v := read(t, s.c.Output()); v.goAway == nil || *v.goAway != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("after 2000 of them: %v", s.c.Err())
			}
		})
	}
}

// closeGone takes back streams that are gone.
func (e *end) closeGone() {
	kept := e.heard[:0]
	for _, h := range e.heard {
		if h.gone == nil {
			kept = append(kept, h)
			continue
		}
		delete(e.refs, h.s)
		e.c.Close(h.s, true)
	}
	e.heard = kept
}
