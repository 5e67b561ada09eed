//go:build linux

package lab

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
)

// transfer is one long download or upload. It speaks HTTP by hand, so that it knows
// when bytes moved and what happened to its connection.
type transfer struct {
	c     *clients
	vip   string
	conn  net.Conn
	seed  uint64
	lasts time.Duration
}

// download reads a body for as long as it lasts, and each byte must be right. When
// the load finishes it is broken off, and has gone well.
func (t *transfer) download() error {
	if _, err := fmt.Fprintf(t.conn, "GET /download?seed=%d&for=%s HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", t.seed, t.lasts); err != nil {
		return err
	}
	resp, err := t.answer()
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	defer func() { _ = t.conn.Close() }() // before it, for a body that is closed reads what is left
	p, buf := newPattern(t.seed), make([]byte, chunk)
	for total := 0; !t.c.finishing(); {
		began := time.Now()
		_ = t.conn.SetReadDeadline(began.Add(t.c.plan.Stall))
		n, err := resp.Body.Read(buf)
		t.c.paused(began)
		if wrong := p.check(buf[:n]); wrong != nil {
			return wrong
		}
		total += n
		switch {
		case errors.Is(err, io.EOF) && total != int(t.lasts/pace)*chunk:
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// upload writes a body for as long as it lasts, or until the load finishes; the
// answer must be its digest.
func (t *transfer) upload() error {
	if _, err := io.WriteString(t.conn, "POST /upload HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		return err
	}
	p, digest, body := newPattern(t.seed), sha256.New(), httputil.NewChunkedWriter(t.conn)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range t.lasts / pace {
		if t.c.finishing() {
			break
		}
		began := time.Now()
		_ = t.conn.SetWriteDeadline(began.Add(t.c.plan.Stall))
		next := p.next(chunk)
		digest.Write(next)
		if _, err := body.Write(next); err != nil {
			return err
		}
		t.c.paused(began)
		<-tick.C
	}
	if err := body.Close(); err != nil {
		return err
	}
	if _, err := io.WriteString(t.conn, "\r\n"); err != nil {
		return err
	}
	resp, err := t.answer()
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err == nil && string(got) != hex.EncodeToString(digest.Sum(nil)) {
		return errWrongBytes
	}
	return err
}

// answer reads the head of a response, which must be a good one.
func (t *transfer) answer() (*http.Response, error) {
	began := time.Now()
	_ = t.conn.SetReadDeadline(began.Add(t.c.plan.Stall))
	resp, err := http.ReadResponse(bufio.NewReader(t.conn), nil)
	if err != nil {
		return nil, err
	}
	t.c.paused(began)
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, errors.New(resp.Status)
	}
	return resp, nil
}

// get is one short request on a connection of its own. It returns which target
// answered.
func get(vip string, patience time.Duration) (server string, err error) {
	conn, err := net.DialTimeout("tcp", vip, patience)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode != http.StatusOK:
		return "", errors.New(resp.Status)
	}
	return string(body), nil
}
