package soak

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// kinds is what clients do, and how many do it at once.
var kinds = []struct {
	name     string
	listener string
	clients  int
	do       func(*user)
}{
	{"ordinary", "calm", 4, (*user).ordinary},
	{"ordinary over TLS", "calm-tls", 3, (*user).ordinary},
	{"pipelining", "rough", 2, (*user).pipeline},
	{"reset", "rough", 4, (*user).reset},
	{"reset over TLS", "rough-tls", 2, (*user).reset},
	{"slow reader", "rough", 3, (*user).readSlowly},
	{"slow reader over TLS", "rough-tls", 2, (*user).readSlowly},
	{"slow writer", "rough", 2, (*user).writeSlowly},
	{"aborted upload", "rough", 3, (*user).abortUpload},
	{"aborted upload over TLS", "rough-tls", 2, (*user).abortUpload},
	{"half-close", "rough", 2, (*user).halfClose},
	{"tunnel", "rough", 3, (*user).tunnel},
	{"tunnel over TLS", "rough-tls", 2, (*user).tunnel},
	{"garbage", "rough", 1, (*user).garbage},
	{"bad targets", "rough", 2, (*user).badTargets},
	{"no handshake", "rough-tls", 1, (*user).noHandshake},
	{"idle", "rough", 2, (*user).idle},
	{"streams", "calm", 3, (*user).streams},
	{"streams over TLS", "calm-tls", 3, (*user).streams},
	{"streams reset", "rough", 2, (*user).resetStreams},
	{"streams reset over TLS", "rough-tls", 2, (*user).resetStreams},
	{"slow reader of streams", "rough", 2, (*user).readStreamsSlowly},
	{"slow reader of streams over TLS", "rough-tls", 2, (*user).readStreamsSlowly},
	{"streams cut", "rough", 2, (*user).cutStreams},
	{"streams cut over TLS", "rough-tls", 1, (*user).cutStreams},
	{"streams left", "rough", 1, (*user).leaveStreams},
	{"tunnel in a stream", "rough", 2, (*user).tunnelStream},
	{"tunnel in a stream over TLS", "rough-tls", 1, (*user).tunnelStream},
	{"streams of a listener that goes", "passing", 2, (*user).streams},
}

// tally is what the clients of one listener saw.
type tally struct {
	tried    atomic.Int64    // requests of which a byte was sent
	answered [6]atomic.Int64 // whole answers, by the class of their status
	cut      atomic.Int64    // answers that broke off, or never came
	wrong    atomic.Int64    // answers of another request, or with another body

	mu          sync.Mutex
	generations map[string]bool // of specs; guarded by mu
	complaints  []string        // of what is wrong; guarded by mu
}

// whole counts a whole answer, by the spec of a generation if it says so.
func (t *tally) whole(status int, generation string) {
	t.answered[status/100].Add(1)
	if generation == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.generations[generation] = true
}

// user is one client.
type user struct {
	ctx    context.Context
	rnd    *rand.Rand
	addr   string
	secure *tls.Config // nil for plain
	tally  *tally
	name   string
	absent bool // the listener may be gone
}

// live does one thing over and over until the context ends.
func (u *user) live(do func(*user)) {
	for u.ctx.Err() == nil {
		do(u)
		u.rest(time.Duration(u.rnd.IntN(5)) * time.Millisecond)
	}
}

// rest waits, shorter when the time is over.
func (u *user) rest(d time.Duration) {
	select {
	case <-u.ctx.Done():
	case <-time.After(d):
	}
}

// conn is a connection whose answers can be read.
type conn struct {
	net.Conn
	raw   *net.TCPConn
	in    *bufio.Reader
	begun time.Time // connecting
}

// headTime is how long the rough listeners wait for a head.
const headTime = 2 * time.Second

// slept reports whether this process was not let run for so long that a head it has
// just sent may have come too late.
func (c *conn) slept() bool { return time.Since(c.begun) > headTime/2 }

func (u *user) dial() (*conn, bool) { return u.dialAs(u.secure) }

// dialAs connects, with TLS unless secure is nil.
func (u *user) dialAs(secure *tls.Config) (*conn, bool) {
	begun := time.Now()
	raw, err := net.DialTimeout("tcp", u.addr, hang)
	if err != nil {
		if u.absent {
			u.rest(20 * time.Millisecond)
		} else {
			u.complain("dial: %v", err)
		}
		return nil, false
	}
	c := &conn{Conn: raw, raw: raw.(*net.TCPConn), begun: begun}
	_ = raw.SetDeadline(time.Now().Add(hang))
	if secure != nil {
		over := tls.Client(raw, secure)
		if err := over.Handshake(); err != nil {
			u.complain("handshake: %v", err)
			_ = raw.Close()
			return nil, false
		}
		c.Conn = over
	}
	c.in = bufio.NewReader(c.Conn)
	return c, true
}

// abort resets a connection.
func (c *conn) abort() {
	_ = c.raw.SetLinger(0)
	_ = c.raw.Close()
}

func (u *user) complain(format string, args ...any) {
	u.tally.wrong.Add(1)
	u.tally.mu.Lock()
	defer u.tally.mu.Unlock()
	if len(u.tally.complaints) < 20 {
		u.tally.complaints = append(u.tally.complaints, u.name+": "+fmt.Sprintf(format, args...))
	}
}

// send writes a request, or part of it.
func (u *user) send(c *conn, request []byte) bool {
	u.tally.tried.Add(1)
	_, err := c.Write(request)
	return err == nil
}

// answer reads one whole answer.
func (u *user) answer(c *conn, method string) (status int, body []byte, more bool) {
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err != nil {
		u.tally.cut.Add(1)
		if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
			u.complain("no answer within %v", hang)
		}
		return 0, nil, false
	}
	u.tally.whole(resp.StatusCode, resp.Header.Get("X-Generation"))
	return resp.StatusCode, body, !resp.Close
}

func request(method, path, fields string, body []byte) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: soak.example\r\n%s", method, path, fields)
	if body != nil {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(body))
	}
	return append(append(b, "\r\n"...), body...)
}

func chunks(body []byte, size int) (b []byte) {
	for len(body) > 0 {
		n := min(size, len(body))
		b = append(fmt.Appendf(b, "%x\r\n", n), body[:n]...)
		b = append(b, "\r\n"...)
		body = body[n:]
	}
	return append(b, "0\r\n\r\n"...)
}

// ordinary finishes all it begins, a few requests on each connection, and looks
// at every answer.
func (u *user) ordinary() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	for range 1 + u.rnd.IntN(20) {
		if !u.one(c) {
			return
		}
		_ = c.SetDeadline(time.Now().Add(hang))
	}
}

// errand is a request, and what a good answer to it says.
type errand struct {
	method, path string
	body         []byte // nil for none
	want         string
}

// usual draws one of the usual requests.
func (u *user) usual() errand {
	switch u.rnd.IntN(6) {
	case 0:
		return errand{http.MethodGet, "/here", nil, "no target is asked\n"}
	case 1:
		return errand{http.MethodGet, u.at("/big"), nil, string(big)}
	case 2:
		return errand{http.MethodHead, u.at("/"), nil, ""}
	case 3, 4:
		body := big[:u.rnd.IntN(200_000)]
		return errand{http.MethodPost, u.at("/sum"), body, fmt.Sprintf("%d %08x", len(body), crc32.ChecksumIEEE(body))}
	default:
		return errand{http.MethodGet, u.at("/"), nil, "hello\n"}
	}
}

// at leads to targets of HTTP/1.1 or HTTP/2.
func (u *user) at(path string) string {
	if u.rnd.IntN(2) == 0 {
		return "/h2" + path
	}
	return path
}

// judge looks at a whole answer.
func (u *user) judge(r errand, status int, body []byte) {
	if good := status == http.StatusOK || status == http.StatusNonAuthoritativeInfo; good && string(body) != r.want {
		u.complain("%s %s: %d with %.60q, %d bytes", r.method, r.path, status, body, len(body))
	}
}

// one makes one of the usual requests and reports whether more may follow.
func (u *user) one(c *conn) bool {
	r := u.usual()
	sent := request(r.method, r.path, "", r.body)
	if r.body != nil && u.rnd.IntN(2) == 0 {
		sent = append(request(r.method, r.path, "Transfer-Encoding: chunked\r\n", nil), chunks(r.body, 1+u.rnd.IntN(40_000))...)
	}
	whole := u.send(c, sent)
	status, body, more := u.answer(c, r.method)
	u.judge(r, status, body)
	return more && whole
}

// pipeline sends several requests at once.
func (u *user) pipeline() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	const depth = 5
	var all []byte
	for i := range depth {
		all = append(all, request(http.MethodPost, "/sum", "", big[:i])...)
	}
	u.tally.tried.Add(depth)
	_, _ = c.Write(all)
	for i := range depth {
		status, body, more := u.answer(c, http.MethodPost)
		if n, _, _ := strings.Cut(string(body), " "); status == http.StatusOK && n != strconv.Itoa(i) {
			u.complain("answer %d of a pipeline is for %q", i, body)
		}
		if !more {
			return
		}
	}
}

// reset breaks off at a random byte of the request or of the answer.
func (u *user) reset() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer c.abort()
	sent := request(http.MethodPost, u.at("/sum"), "", big[:u.rnd.IntN(3000)])
	if u.rnd.IntN(2) == 0 {
		sent = request(http.MethodGet, u.at("/big"), "", nil)
	}
	if u.rnd.IntN(2) == 0 {
		u.send(c, sent[:1+u.rnd.IntN(len(sent)-1)])
		u.rest(time.Duration(u.rnd.IntN(3)) * time.Millisecond)
		return
	}
	u.send(c, sent)
	_, _ = io.CopyN(io.Discard, c.in, int64(u.rnd.IntN(bigSize)))
}

// readSlowly takes an answer in small pieces, and sometimes not all of it.
func (u *user) readSlowly() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	_ = c.raw.SetReadBuffer(16 << 10)
	u.send(c, request(http.MethodGet, u.at("/big"), "", nil))
	for range u.rnd.IntN(100) {
		if _, err := c.in.Peek(1); err != nil {
			return
		}
		u.rest(time.Millisecond)
		_, _ = io.CopyN(io.Discard, c.in, 4<<10)
	}
}

// writeSlowly sends a request a few bytes at a time, and reads its answer.
func (u *user) writeSlowly() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	body := big[:200]
	u.tally.tried.Add(1)
	for rest := request(http.MethodPost, "/sum", "", body); len(rest) > 0; {
		n := min(len(rest), 1+u.rnd.IntN(10))
		if _, err := c.Write(rest[:n]); err != nil {
			return
		}
		rest = rest[n:]
		time.Sleep(time.Millisecond) // a pace, not a wait
	}
	if status, got, _ := u.answer(c, http.MethodPost); status == http.StatusOK && !bytes.HasPrefix(got, []byte("200 ")) {
		u.complain("200 bytes sent slowly came as %q", got)
	}
}

// abortUpload ends in the middle of a body, by FIN or by reset, or goes on after
// an answer that came early.
func (u *user) abortUpload() {
	c, ok := u.dial()
	if !ok {
		return
	}
	path := u.at("/sum")
	if u.rnd.IntN(3) == 0 {
		path = u.at("/early")
	}
	sent := request(http.MethodPost, path, "", big[:1+u.rnd.IntN(bigSize/2)])
	if u.rnd.IntN(2) == 0 {
		sent = append(request(http.MethodPost, path, "Transfer-Encoding: chunked\r\n", nil), chunks(big[:bigSize/4], 5000)...)
	}
	head := bytes.Index(sent, []byte("\r\n\r\n"))
	u.send(c, sent[:head+u.rnd.IntN(len(sent)-head)])
	if u.rnd.IntN(2) == 0 {
		c.abort()
		return
	}
	_ = c.Close()
}

// halfClose ends its side at once and still gets its answer.
func (u *user) halfClose() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	u.send(c, request(http.MethodGet, "/here", "", nil))
	_ = c.raw.CloseWrite()
	late := c.slept()
	if status, _, _ := u.answer(c, http.MethodGet); status != http.StatusNonAuthoritativeInfo && !late {
		u.complain("a half-closed connection got %d", status)
	}
}

// tunnel upgrades, sends bytes both ways, and ends in one of several ways.
func (u *user) tunnel() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer c.abort()
	u.send(c, request(http.MethodGet, "/echo", "Connection: Upgrade\r\nUpgrade: echo\r\n", nil))
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		u.tally.cut.Add(1)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	u.tally.answered[resp.StatusCode/100].Add(1)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	got := make([]byte, 20_000)
	for range u.rnd.IntN(10) {
		sent := big[:1+u.rnd.IntN(len(got))]
		if _, err := c.Write(sent); err != nil {
			return
		}
		if _, err := io.ReadFull(c.in, got[:len(sent)]); err != nil {
			return
		}
		if !bytes.Equal(got[:len(sent)], sent) {
			u.complain("a tunnel changed %d bytes", len(sent))
		}
	}
	if u.rnd.IntN(2) == 0 {
		_ = c.Close()
	}
}

// garbage sends what is no request; it is told so.
func (u *user) garbage() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	u.send(c, []byte("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"))
	late := c.slept()
	if status, _, _ := u.answer(c, http.MethodGet); status != http.StatusBadRequest && !late {
		u.complain("garbage was answered with %d", status)
	}
}

// badTargets asks for what goes wrong: no answer in time, or half of one.
func (u *user) badTargets() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	path := u.at([]string{"/hang", "/half", "/half"}[u.rnd.IntN(3)])
	u.send(c, request(http.MethodGet, path, "", nil))
	if status, body, _ := u.answer(c, http.MethodGet); status == http.StatusOK {
		u.complain("%s was answered with %d and %d bytes", path, status, len(body))
	}
}

// noHandshake connects to TLS and says nothing of it.
func (u *user) noHandshake() {
	raw, err := net.DialTimeout("tcp", u.addr, hang)
	if err != nil {
		return
	}
	c := &conn{raw: raw.(*net.TCPConn)}
	defer c.abort()
	hello := []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on")
	_, _ = raw.Write(hello[:u.rnd.IntN(len(hello))])
	u.rest(time.Duration(u.rnd.IntN(20)) * time.Millisecond)
}

// idle keeps a connection after its answer for a while.
func (u *user) idle() {
	c, ok := u.dial()
	if !ok {
		return
	}
	defer func() { _ = c.Close() }()
	u.send(c, request(http.MethodGet, "/here", "", nil))
	u.answer(c, http.MethodGet)
	u.rest(time.Duration(u.rnd.IntN(300)) * time.Millisecond)
}
