package desync

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// seenField numbers an answer of the origin, so that a client can tell which
// request it is for.
const seenField = "X-Seen"

// origin reads by RFC 9112 alone, records every byte, and answers each request
// with that request.
type origin struct {
	ln   net.Listener
	busy sync.WaitGroup

	mu      sync.Mutex
	seen    []*seen          // guarded by mu
	streams [][]byte         // of each connection; guarded by mu
	open    map[net.Conn]int // index in streams; guarded by mu
}

// seen is one request as the origin got it.
type seen struct {
	*request
	refused error // not nil: it would not read this
}

func newOrigin(t *testing.T, address string) *origin {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	o := &origin{ln: ln, open: map[net.Conn]int{}}
	o.busy.Go(o.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		o.mu.Lock()
		for c := range o.open {
			_ = c.Close()
		}
		o.mu.Unlock()
		o.busy.Wait()
	})
	return o
}

func (o *origin) accept() {
	for {
		c, err := o.ln.Accept()
		if err != nil {
			return
		}
		o.mu.Lock()
		o.open[c] = len(o.streams)
		o.streams = append(o.streams, nil)
		o.mu.Unlock()
		o.busy.Go(func() { o.serve(c) })
	}
}

func (o *origin) serve(c net.Conn) {
	defer func() {
		o.mu.Lock()
		delete(o.open, c)
		o.mu.Unlock()
		_ = c.Close()
	}()
	var pending []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		pending = append(pending, buf[:n]...)
		o.mu.Lock()
		at := o.open[c]
		o.streams[at] = append(o.streams[at], buf[:n]...)
		o.mu.Unlock()
		for len(pending) > 0 {
			req, err := reading{}.next(pending)
			if errors.Is(err, errPartial) {
				break
			}
			if err == nil {
				err = canonical(req)
			}
			if err != nil {
				o.note(&seen{request: &request{raw: pending}, refused: err})
				return
			}
			pending = pending[len(req.raw):]
			if o.answer(c, req) != nil {
				return
			}
		}
	}
}

func (o *origin) note(s *seen) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, s)
	return len(o.seen) - 1
}

func (o *origin) answer(c net.Conn, req *request) error {
	n := o.note(&seen{request: req})
	_ = c.SetWriteDeadline(time.Now().Add(hang))
	body := req.raw
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\n%s: %d\r\nContent-Length: %d\r\n\r\n", seenField, n, len(body))
	if req.method != "HEAD" {
		answer = append(answer, body...)
	}
	_, err := c.Write(answer)
	return err
}

// count is how many requests the origin has seen.
func (o *origin) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

// since are the requests from the nth on.
func (o *origin) since(n int) []*seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*seen(nil), o.seen[n:]...)
}

// all are the bytes of every connection there was.
func (o *origin) all() [][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([][]byte(nil), o.streams...)
}
