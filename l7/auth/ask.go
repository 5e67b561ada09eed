package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"portico/l7/http1"
	"portico/l7/message"
)

const (
	// answerMax bounds the body of a refusal that is passed on to a client.
	answerMax = 64 << 10
	// answerHeadMax bounds the head of an answer.
	answerHeadMax = 32 << 10
	// idle is how long a connection to a service is kept for the next question.
	idle = 30 * time.Second
)

// AskerOptions are what NewAsker needs.
type AskerOptions struct {
	// URL of the service. Its host is not used where Target is set.
	URL *url.URL
	// Target chooses who is asked, none of those that were tried if there is another,
	// and is told when that is done; nil means URL.
	Target func(tried []string) (host string, done func(), ok bool)
	// Take lists the fields of the answer that are wanted when it lets pass.
	Take    []string
	Timeout time.Duration
	// Concurrent bounds the questions that are asked at once.
	Concurrent int
	// Context ends everything; Go starts a goroutine as of WorkersOptions.
	Context context.Context
	Go      func(f func()) bool
}

// Asker asks a server whether requests may pass. Its methods are safe for use by
// several goroutines.
type Asker struct {
	o      AskerOptions
	client *http.Client
	work   *Workers
}

// NewAsker returns one that has asked nothing yet.
func NewAsker(o AskerOptions) *Asker {
	return &Asker{
		o:    o,
		work: NewWorkers(WorkersOptions{Most: o.Concurrent, Go: o.Go}),
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: o.Timeout}).DialContext,
				MaxIdleConnsPerHost: o.Concurrent, IdleConnTimeout: idle,
				MaxResponseHeaderBytes: answerHeadMax, DisableCompression: true, TLSHandshakeTimeout: o.Timeout,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close lets go of idle connections.
func (a *Asker) Close() error {
	a.client.CloseIdleConnections()
	return nil
}

// Answer is what a service said of a request.
type Answer struct {
	// Err says that it said nothing that counts.
	Err error
	// Pass lets the request go on, with Fields in it. Without it the client is
	// answered with Status, Fields and Body.
	Pass   bool
	Status int
	Fields []message.Field
	Body   []byte
}

// Question is one that is being asked.
type Question struct{ answer atomic.Pointer[Answer] }

// Answer is the answer, or nil as long as there is none.
func (q *Question) Answer() *Answer { return q.answer.Load() }

// Ask asks about a request with these fields. The answer is in the question when
// wake is called, from another goroutine; nil means that too many are being asked.
func (a *Asker) Ask(header http.Header, wake func()) *Question {
	q := &Question{}
	if !a.work.Do(func() {
		answer := a.ask(header)
		q.answer.Store(&answer)
		if wake != nil {
			wake()
		}
	}) {
		return nil
	}
	return q
}

// triesMax is how many targets of a group are asked at most, where those before did
// not accept a connection.
const triesMax = 3

func (a *Asker) ask(header http.Header) Answer {
	ctx, cancel := context.WithTimeout(a.o.Context, a.o.Timeout)
	defer cancel()
	if a.o.Target == nil {
		return a.askAt(ctx, a.o.URL.Host, header)
	}
	answer := Answer{Err: errors.New("there is no target")}
	for tried := []string(nil); len(tried) < triesMax; {
		host, done, ok := a.o.Target(tried)
		if !ok || slices.Contains(tried, host) {
			break
		}
		answer = a.askAt(ctx, host, header)
		done()
		if dial, ok := errors.AsType[*net.OpError](answer.Err); !ok || dial.Op != "dial" {
			break
		}
		tried = append(tried, host)
	}
	return answer
}

func (a *Asker) askAt(ctx context.Context, host string, header http.Header) Answer {
	at := *a.o.URL
	at.Host = host
	req := (&http.Request{Method: http.MethodGet, URL: &at, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	resp, err := a.client.Do(req)
	if err != nil {
		return Answer{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	return a.read(resp)
}

// told are the fields of a refusal that a client is to see.
var told = [...]string{"Location", "Www-Authenticate", "Set-Cookie", "Content-Type", "Cache-Control", "Retry-After"}

func (a *Asker) read(resp *http.Response) Answer {
	switch status := resp.StatusCode; {
	case status/100 == 2:
		fields, err := fieldsOf(resp.Header, a.o.Take)
		return Answer{Pass: true, Fields: fields, Err: err}
	case status < 200 || status == 304 || status >= 500:
		return Answer{Err: fmt.Errorf("the service answered %d", status)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerMax+1))
	if err != nil {
		return Answer{Err: err}
	}
	if len(body) > answerMax {
		return Answer{Err: fmt.Errorf("the body of the answer is larger than %d bytes", answerMax)}
	}
	fields, err := fieldsOf(resp.Header, told[:])
	return Answer{Status: resp.StatusCode, Fields: fields, Body: body, Err: err}
}

// fieldsOf lists the lines of some fields, in the order they are named.
func fieldsOf(header http.Header, names []string) ([]message.Field, error) {
	var fields []message.Field
	for _, name := range names {
		for _, value := range header[textproto.CanonicalMIMEHeaderKey(name)] {
			if !http1.ValidValue([]byte(value)) {
				return nil, fmt.Errorf("the field %s of the answer holds a control character", name)
			}
			fields = append(fields, message.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	return fields, nil
}
