package h2_test

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"

	"portico/l7/h2"
	"portico/l7/message"
)

// FuzzServer proves that no bytes of a client, in whatever pieces, make a server
// panic, keep what it should not, or write what is no frame.
func FuzzServer(f *testing.F) {
	c := newClient()
	c.open(1, false, append(get, "content-length: 3")...)
	_ = c.WriteData(1, true, []byte("abc"))
	c.open(3, true, get...)
	_ = c.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = c.WriteWindowUpdate(0, 10)
	_ = c.WriteGoAway(0, 0, nil)
	f.Add(c.out.Bytes(), byte(0))
	f.Add(c.out.Bytes(), byte(3))
	c = newClient()
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.fields(get...)[:3], PadLength: 4})
	_ = c.WriteContinuation(1, true, c.fields(get...))
	_ = c.WriteDataPadded(1, false, []byte("abc"), make([]byte, 5))
	c.open(1, true, "x-trailer: y")
	f.Add(c.out.Bytes(), byte(1))
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		if step&1 == 0 { // most inputs would fail at the preface
			in = append([]byte(h2.Preface+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"), in...)
		}
		s := newEnd(t, h2.Options{Connect: step&2 != 0, Limits: limits(4)})
		s.lazy = step&4 != 0
		for len(in) > 0 {
			k := min(len(in), 1+int(step>>3)*7)
			s.hear(bytes.Clone(in[:k]))
			in = in[k:]
			s.answer(step)
		}
		s.take()
		_ = read(t, s.c.Output())
		s.c.Lost(epoch)
		s.events()
		for _, h := range s.heard {
			s.c.Close(h.s, true)
		}
		if s.c.Streams() != 0 || !s.c.Done() {
			t.Fatalf("%d streams are left", s.c.Streams())
		}
	})
}

// answer answers some streams, as the fuzzer likes, and takes back those that are
// gone or answered.
func (e *end) answer(how byte) {
	kept := e.heard[:0]
	for i, h := range e.heard {
		switch {
		case h.gone == nil && (int(how)+i)%3 == 0:
			e.c.Send(h.s, &h2.Message{
				Response: &message.Response{Status: 200, Framing: message.Chunked, Length: -1}, Segs: [][]byte{make([]byte, 70000)}, End: true,
			})
			e.events()
			e.c.Close(h.s, how&1 == 0)
		case h.gone != nil:
			e.c.Close(h.s, true)
		default:
			kept = append(kept, h)
			continue
		}
		delete(e.refs, h.s)
	}
	e.heard = kept
}

// FuzzClient proves the same of a client and the bytes of its server.
func FuzzClient(f *testing.F) {
	c := newClient()
	c.out.Reset()
	_ = c.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 10})
	c.open(1, false, ":status: 103", "link: x")
	c.open(1, false, ":status: 200", "content-length: 3")
	_ = c.WriteData(1, true, []byte("abc"))
	c.open(3, true, ":status: 204")
	_ = c.WriteRSTStream(5, http2.ErrCodeRefusedStream)
	_ = c.WriteGoAway(1, 0, nil)
	f.Add(c.out.Bytes(), byte(40))
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		s := newEnd(t, h2.Options{Client: true})
		for i := range 3 {
			s.ask([]string{"GET", "HEAD", "POST"}[i], "/", i < 2)
		}
		for len(in) > 0 {
			k := min(len(in), 1+int(step)*7)
			s.hear(bytes.Clone(in[:k]))
			in = in[k:]
		}
		s.c.Lost(epoch)
		s.events()
		for _, h := range s.heard {
			s.c.Close(h.s, true)
		}
		if s.c.Streams() != 0 || !s.c.Done() {
			t.Fatalf("%d streams are left", s.c.Streams())
		}
	})
}
