package soak

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// windowStart is every window before anything else was said (RFC 9113, section 6.9.2).
const windowStart = 65535

// streams is a client's connection of HTTP/2. It belongs to one goroutine, which
// reads when it must: when it waits for answers, or for a window.
type streams struct {
	*conn
	user   *user
	fr     *http2.Framer
	block  bytes.Buffer
	enc    *hpack.Encoder
	next   uint32
	window int64 // of the connection, for what we send
	start  int64 // of a new stream
	open   map[uint32]*stream
	slow   bool // windows are not given back by themselves
	gone   bool // the peer takes no more streams
	err    error
}

// stream is one request and what came for it.
type stream struct {
	id         uint32
	window     int64
	status     int
	generation string
	body       []byte
	ended      bool // the answer is whole
	lost       bool // it never will be
}

// speak connects and greets. A window that is not 0 is that of each answer, and
// none is given back but by grant.
func (u *user) speak(window uint32) (*streams, bool) {
	secure := u.secure
	if secure != nil {
		secure = secure.Clone()
		secure.NextProtos = []string{"h2"}
	}
	c, ok := u.dialAs(secure)
	if !ok {
		return nil, false
	}
	s := &streams{
		conn: c, user: u, fr: http2.NewFramer(c, c.in), next: 1,
		window: windowStart, start: windowStart, open: map[uint32]*stream{}, slow: window != 0,
	}
	s.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.enc = hpack.NewEncoder(&s.block)
	_, s.err = c.Write([]byte(http2.ClientPreface))
	if s.slow {
		s.check(s.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	} else {
		s.check(s.fr.WriteSettings())
	}
	return s, true
}

func (s *streams) check(err error) {
	if s.err == nil {
		s.err = err
	}
}

// begin sends the head of a request, of which nothing follows when end is set.
func (s *streams) begin(method, path string, end bool, fields ...string) *stream {
	s.block.Reset()
	scheme := "http"
	if s.user.secure != nil {
		scheme = "https"
	}
	all := append([]string{":method", method, ":scheme", scheme, ":authority", "soak.example", ":path", path}, fields...)
	for i := 0; i < len(all); i += 2 {
		s.check(s.enc.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]}))
	}
	st := &stream{id: s.next, window: s.start}
	s.next += 2
	s.open[st.id] = st
	s.user.tally.tried.Add(1)
	s.check(s.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: st.id, BlockFragment: s.block.Bytes(), EndStream: end, EndHeaders: true}))
	return st
}

// ask sends one of the usual requests.
func (s *streams) ask(r errand) *stream {
	var fields []string
	if r.body != nil && s.user.rnd.IntN(2) == 0 {
		fields = []string{"content-length", strconv.Itoa(len(r.body))}
	}
	st := s.begin(r.method, r.path, r.body == nil, fields...)
	if r.body != nil {
		s.upload(st, r.body, true)
	}
	return st
}

// upload sends data as windows allow, and reads while they do not.
func (s *streams) upload(st *stream, body []byte, end bool) {
	for s.err == nil && !st.lost && !st.ended {
		n := min(int64(len(body)), s.window, st.window, int64(1+s.user.rnd.IntN(16<<10)))
		if n <= 0 && len(body) > 0 {
			s.read()
			continue
		}
		last := n == int64(len(body))
		s.check(s.fr.WriteData(st.id, end && last, body[:n]))
		st.window -= n
		s.window -= n
		if body = body[n:]; last {
			return
		}
	}
}

// reset ends a stream that may or may not have been answered.
func (s *streams) reset(st *stream, code http2.ErrCode) {
	if st.ended || st.lost {
		return
	}
	s.check(s.fr.WriteRSTStream(st.id, code))
	s.lose(st)
}

// lose counts a stream whose answer is not whole.
func (s *streams) lose(st *stream) {
	st.lost = true
	s.user.tally.cut.Add(1)
	delete(s.open, st.id)
}

// refused takes a stream back that the peer did not look at.
func (s *streams) refused(st *stream) {
	st.lost = true
	s.user.tally.tried.Add(-1)
	delete(s.open, st.id)
}

// gather reads until every stream has its answer or none will come.
func (s *streams) gather() {
	for len(s.open) > 0 && s.err == nil {
		s.read()
	}
	s.end()
}

// end counts what will get no answer any more.
func (s *streams) end() {
	if t, ok := errors.AsType[net.Error](s.err); ok && t.Timeout() {
		s.user.complain("no answer in %d streams within %v", len(s.open), hang)
	}
	for _, st := range s.open {
		s.lose(st)
	}
}

// read reads one frame and does what it says.
func (s *streams) read() {
	f, err := s.fr.ReadFrame()
	if err != nil {
		if _, bad := errors.AsType[http2.StreamError](err); bad {
			s.user.complain("HTTP/2: %v", err)
		}
		s.check(err)
		return
	}
	switch f := f.(type) {
	case *http2.SettingsFrame:
		s.settings(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			s.check(s.fr.WritePing(true, f.Data))
		}
	case *http2.GoAwayFrame:
		s.goAway(f)
	case *http2.WindowUpdateFrame:
		if st := s.open[f.StreamID]; st != nil {
			st.window += int64(f.Increment)
		} else if f.StreamID == 0 {
			s.window += int64(f.Increment)
		}
	default:
		if st := s.open[f.Header().StreamID]; st != nil {
			s.hear(st, f)
		} else if d, ok := f.(*http2.DataFrame); ok && !s.slow && len(d.Data()) > 0 {
			s.check(s.fr.WriteWindowUpdate(0, uint32(len(d.Data())))) // of a stream that was reset
		}
	}
}

func (s *streams) settings(f *http2.SettingsFrame) {
	if f.IsAck() {
		return
	}
	if n, ok := f.Value(http2.SettingInitialWindowSize); ok {
		for _, st := range s.open {
			st.window += int64(n) - s.start
		}
		s.start = int64(n)
	}
	s.check(s.fr.WriteSettingsAck())
}

func (s *streams) goAway(f *http2.GoAwayFrame) {
	s.gone = true
	for id, st := range s.open {
		if id > f.LastStreamID {
			s.refused(st)
		}
	}
}

// hear is a frame of a stream.
func (s *streams) hear(st *stream, f http2.Frame) {
	ended := false
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		if n, err := strconv.Atoi(f.PseudoValue("status")); err == nil && n >= 200 {
			st.status = n
		}
		for _, h := range f.RegularFields() {
			if h.Name == "x-generation" {
				st.generation = h.Value
			}
		}
		ended = f.StreamEnded()
	case *http2.DataFrame:
		st.body = append(st.body, f.Data()...)
		if ended = f.StreamEnded(); !s.slow {
			s.grant(st, len(f.Data()), ended)
		}
	case *http2.RSTStreamFrame:
		switch {
		case st.ended: // the rest of a body is not wanted after an early answer
		case f.ErrCode == http2.ErrCodeRefusedStream:
			s.refused(st)
		default:
			s.lose(st)
		}
		return
	}
	if ended {
		st.ended = true
		s.user.tally.whole(st.status, st.generation)
		delete(s.open, st.id)
	}
}

// grant lets n more bytes come, for a stream too unless it is over.
func (s *streams) grant(st *stream, n int, over bool) {
	if n == 0 {
		return
	}
	s.check(s.fr.WriteWindowUpdate(0, uint32(n)))
	if !over {
		s.check(s.fr.WriteWindowUpdate(st.id, uint32(n)))
	}
}

// streams finishes all it begins, several at once, and looks at every answer.
func (u *user) streams() {
	s, ok := u.speak(0)
	if !ok {
		return
	}
	defer func() { _ = s.Close() }()
	for range 1 + u.rnd.IntN(6) {
		asked := map[*stream]errand{}
		for range 1 + u.rnd.IntN(8) {
			r := u.usual()
			asked[s.ask(r)] = r
		}
		s.gather()
		for st, r := range asked {
			if st.ended {
				u.judge(r, st.status, st.body)
			}
		}
		if s.err != nil || s.gone {
			return
		}
		_ = s.SetDeadline(time.Now().Add(hang))
	}
}

// resetStreams resets some streams at any time, and still wants the others.
func (u *user) resetStreams() {
	s, ok := u.speak(0)
	if !ok {
		return
	}
	defer func() { _ = s.Close() }()
	asked := map[*stream]errand{}
	for range 1 + u.rnd.IntN(20) {
		switch u.rnd.IntN(4) {
		case 0: // at once
			s.reset(s.begin(http.MethodGet, u.at("/big"), true), http2.ErrCodeCancel)
		case 1: // within a body
			st := s.begin(http.MethodPost, u.at("/sum"), false)
			s.upload(st, big[:u.rnd.IntN(100_000)], false)
			s.reset(st, http2.ErrCodeCancel)
		case 2: // within an answer
			st := s.begin(http.MethodGet, u.at([]string{"/big", "/hang", "/half"}[u.rnd.IntN(3)]), true)
			for range u.rnd.IntN(10) {
				if s.err == nil && !st.ended && !st.lost {
					s.read()
				}
			}
			s.reset(st, http2.ErrCodeInternal)
		default:
			r := u.usual()
			asked[s.ask(r)] = r
		}
	}
	s.gather()
	for st, r := range asked {
		if st.ended {
			u.judge(r, st.status, st.body)
		}
	}
}

// readStreamsSlowly takes several answers in small pieces, and sometimes leaves
// them, or asks for another that must not wait for them.
func (u *user) readStreamsSlowly() {
	s, ok := u.speak(uint32(u.rnd.IntN(20_000)) + 1)
	if !ok {
		return
	}
	defer func() { _ = s.Close() }()
	slow := []*stream{s.begin(http.MethodGet, u.at("/big"), true), s.begin(http.MethodGet, u.at("/big"), true)}
	for range u.rnd.IntN(60) {
		_ = s.SetDeadline(time.Now().Add(hang)) // for each round: they are slow together
		for _, st := range slow {
			if !st.ended && !st.lost {
				s.grant(st, 1+u.rnd.IntN(4<<10), false)
			}
		}
		u.rest(time.Millisecond)
		st := s.begin(http.MethodGet, "/here", true)
		s.grant(st, 100, false)
		for s.err == nil && !st.ended && !st.lost {
			s.read()
		}
		if s.err != nil || s.gone {
			break
		}
	}
	s.end()
}

// cutStreams resets the connection while streams are at anything.
func (u *user) cutStreams() {
	s, ok := u.speak(0)
	if !ok {
		return
	}
	defer s.abort()
	for range 1 + u.rnd.IntN(5) {
		st := s.begin(http.MethodPost, u.at([]string{"/sum", "/early"}[u.rnd.IntN(2)]), false)
		s.upload(st, big[:u.rnd.IntN(60_000)], false)
		s.begin(http.MethodGet, u.at("/big"), true)
	}
	for range u.rnd.IntN(30) {
		if s.err == nil {
			s.read()
		}
	}
	if u.rnd.IntN(2) == 0 { // within a frame
		_, _ = s.Write([]byte("\x00\x40\x00\x00\x00\x00\x00\x00\x01 and so on"))
	}
	s.end()
}

// leaveStreams says that it leaves while streams are under way, and still wants them.
func (u *user) leaveStreams() {
	s, ok := u.speak(0)
	if !ok {
		return
	}
	defer func() { _ = s.Close() }()
	for range 1 + u.rnd.IntN(5) {
		s.ask(u.usual())
	}
	s.check(s.fr.WriteGoAway(0, http2.ErrCodeNo, nil))
	s.gather()
}

// tunnelStream makes a WebSocket of a stream (RFC 8441), sends bytes both ways,
// and ends in one of several ways, with a request beside it.
func (u *user) tunnelStream() {
	s, ok := u.speak(0)
	if !ok {
		return
	}
	defer s.abort()
	st := s.begin(http.MethodConnect, "/ws", false, ":protocol", "websocket", "sec-websocket-version", "13")
	for s.err == nil && st.status == 0 && !st.lost {
		s.read()
	}
	for range u.rnd.IntN(10) {
		if st.status != http.StatusOK || st.lost || st.ended {
			break
		}
		s.exchange(st)
	}
	s.ask(u.usual())
	if u.rnd.IntN(2) == 0 {
		s.upload(st, nil, true)
	} else {
		s.reset(st, http2.ErrCodeCancel)
	}
	s.gather()
}

// exchange sends bytes into a tunnel that come back.
func (s *streams) exchange(st *stream) {
	sent := big[:1+s.user.rnd.IntN(20_000)]
	st.body = st.body[:0]
	s.upload(st, sent, false)
	for s.err == nil && !st.lost && !st.ended && len(st.body) < len(sent) {
		s.read()
	}
	if len(st.body) >= len(sent) && !bytes.Equal(st.body, sent) {
		s.user.complain("a tunnel in a stream changed %d bytes", len(sent))
	}
}
