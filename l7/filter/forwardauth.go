package filter

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"portico/l7/auth"
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/kept"
	"portico/l7/message"
)

type forwardAuth struct {
	requestOnly
	*auth.Asker
	p    *auth.Forward
	send map[string]bool // in lower case
	take []string        // in lower case
}

func newForwardAuth(params any) Filter {
	f := &forwardAuth{p: params.(*auth.Forward), send: map[string]bool{}}
	send := f.p.Send
	if len(send) == 0 {
		send = []string{"authorization", "cookie"}
	}
	for _, name := range append(send, "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-request-id") {
		f.send[strings.ToLower(name)] = true
	}
	for _, name := range f.p.Take {
		f.take = append(f.take, strings.ToLower(name))
	}
	return f
}

func (f *forwardAuth) judges() {}

func (f *forwardAuth) timeout() time.Duration { return cmp.Or(f.p.Timeout.D(), 2*time.Second) }

// made is the asker: its connections outlive a spec that leaves the filter alone.
func (f *forwardAuth) Made(k *kept.Store) any {
	at, _ := f.p.Service() // Check has seen the error
	o := auth.AskerOptions{
		URL: at, Take: f.p.Take, Timeout: f.timeout(), Concurrent: cmp.Or(f.p.Concurrent, 256), Context: k.Context(), Go: k.Go,
	}
	if group := f.p.TargetGroup; group != "" {
		o.Target = func(tried []string) (string, func(), bool) { return k.Target(group, tried) }
	}
	return auth.NewAsker(o)
}

func (f *forwardAuth) Hold(made any) { f.Asker = made.(*auth.Asker) }

// grace is how much longer than its timeout a question is waited for.
const grace = time.Second

const (
	forwardRefused = "forwardAuth: the service refused the request"
	forwardFailed  = "forwardAuth: the service did not answer"
	forwardOpen    = "forwardAuth: the service did not answer, and the request passed"
)

func (f *forwardAuth) Request(req *message.Request, m Match, d *exchange.Decision) {
	for _, name := range f.take {
		req.Fields = withoutAlike(req.Fields, name) // a client must not answer for the service
	}
	if m.Visit == nil {
		return
	}
	q := f.Ask(f.question(req), d.Wake)
	if q == nil {
		f.fail(m, d)
		return
	}
	m.Visit.mark().lent = q
	d.Pending, d.Until = true, d.Now.Add(f.timeout()+grace)
}

// question is what the service is told of a request.
func (f *forwardAuth) question(req *message.Request) http.Header {
	header := http.Header{"User-Agent": nil} // net/http adds its own else
	for i := range req.Fields {
		if name := strings.ToLower(string(req.Fields[i].Name)); f.send[name] {
			header.Add(name, string(req.Fields[i].Value))
		}
	}
	uri := string(req.Path)
	if req.HasQuery {
		uri += "?" + string(req.Query)
	}
	header.Set("X-Forwarded-Method", string(req.Method))
	header.Set("X-Forwarded-Uri", uri)
	return header
}

// Resume looks whether the service has answered.
func (f *forwardAuth) Resume(req *message.Request, m Match, d *exchange.Decision, now time.Time) {
	q, ok := m.Visit.mark().lent.(*auth.Question)
	if !ok {
		f.fail(m, d)
		return
	}
	until := d.Now.Add(f.timeout() + grace)
	switch a := q.Answer(); {
	case a == nil && now.Before(until):
		d.Pending, d.Until = true, until
	case a == nil || a.Err != nil:
		f.fail(m, d)
	case a.Pass:
		m.note(Passed)
		req.Fields = append(req.Fields, a.Fields...)
	default:
		m.note(Refused)
		m.Visit.why = forwardRefused
		d.Answer = exchange.Fixed{
			Status: a.Status, Fields: append(d.Answer.Fields[:0], a.Fields...), Body: a.Body, Why: outcome.Refused,
		}
		d.Fixed = &d.Answer
	}
}

// fail does what is to be done when the service does not answer.
func (f *forwardAuth) fail(m Match, d *exchange.Decision) {
	if f.p.OnFailure != "open" {
		refuse(d, m, 503, forwardFailed, message.Field{Name: nameRetry, Value: retrySoon})
		return
	}
	m.note(Passed)
	m.Visit.why = forwardOpen
}

func (f *forwardAuth) Explain(*message.Request, Match) string {
	who := f.p.URL
	if f.p.TargetGroup != "" {
		who = fmt.Sprintf("target group %q", f.p.TargetGroup)
	}
	return fmt.Sprintf("asks %s whether the request may pass", who)
}
