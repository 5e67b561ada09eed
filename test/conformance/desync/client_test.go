package desync

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// hang bounds what must happen soon; it is ten times what it takes.
const hang = 20 * time.Second

// The requests that follow a case: one on its connection, and one of somebody
// else. Each must get its own answer.
const (
	canary = "GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n"
	victim = "GET /victim HTTP/1.1\r\nHost: victim\r\n\r\n"
)

// answer is one answer a client got.
type answer struct {
	status int
	seen   int    // the origin's number for the request; -1: the origin has not answered
	body   []byte // the request as the origin got it
}

// refused reports that somebody before the origin answered for the client's fault.
func (a answer) refused() bool {
	return a.seen < 0 && a.status >= 400 && a.status < 500 || a.status == 501 || a.status == 505
}

// exchange sends bytes on a new connection and reads answers, one for each of
// methods and any that come on top of those, until the connection ends or the
// bound passes without one. Ended says that it was the connection.
func exchange(address string, send []byte, end bool, methods []string, bound time.Duration) (answers []answer, ended bool) {
	c, err := net.DialTimeout("tcp", address, hang)
	if err != nil {
		return nil, true
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(bound))
	// A proxy may refuse at once and close: what it said is still to be read.
	_, _ = c.Write(send)
	in := bufio.NewReader(c)
	for {
		if end || len(answers) == len(methods) {
			_ = c.(*net.TCPConn).CloseWrite()
		}
		method := http.MethodGet
		if len(answers) < len(methods) {
			method = methods[len(answers)]
		}
		a, err := readAnswer(in, method)
		if err != nil {
			return answers, !isTimeout(err)
		}
		answers = append(answers, a)
		_ = c.SetDeadline(time.Now().Add(bound))
	}
}

// readAnswer reads the next final answer.
func readAnswer(in *bufio.Reader, method string) (answer, error) {
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return answer{}, err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return answer{}, err
		}
		if resp.StatusCode < 200 {
			continue
		}
		n, err := strconv.Atoi(resp.Header.Get(seenField))
		if err != nil {
			n = -1
		}
		return answer{resp.StatusCode, n, body}, nil
	}
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// play sends a case, with a canary behind it, and then a victim on a connection
// of its own, which a proxy sends on the connection to the origin that the case
// left.
func (a *attempt) play(address string, bound time.Duration) (answers []answer, ended bool, stranger []answer) {
	send, methods := a.send, []string(nil)
	for _, o := range a.want {
		if !o.nothing {
			methods = append(methods, o.method)
		}
	}
	if !a.end {
		send = append(bytes.Clone(send), canary...)
	}
	if a.stays() {
		methods = append(methods, http.MethodGet)
	}
	answers, ended = exchange(address, send, a.end, methods, bound)
	stranger, _ = exchange(address, []byte(victim), false, []string{http.MethodGet}, bound)
	return answers, ended, stranger
}
