package filter

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"portico/l7/auth"
	"portico/l7/exchange"
	"portico/l7/kept"
	"portico/l7/message"
)

type basicAuth struct {
	requestOnly
	p         *auth.Basic
	header    string // in lower case
	challenge []byte
	users     *auth.Users
	verifier  *auth.Verifier
}

func newBasicAuth(params any) Filter {
	p := params.(*auth.Basic)
	f := &basicAuth{p: p, header: strings.ToLower(p.Header), challenge: fmt.Appendf(nil, "Basic realm=%q, charset=\"UTF-8\"", p.RealmOrDefault())}
	f.users, _ = auth.ParseUsers(p.Users.Value) // Check has seen the problems
	return f
}

func (f *basicAuth) judges() {}

// hashesWaiting bounds the passwords that wait to be hashed. At a tenth of a second
// each, who comes last waits some seconds.
const hashesWaiting = 64

func (f *basicAuth) Employ(k *kept.Store) {
	w := auth.NewWorkers(auth.WorkersOptions{Most: max(runtime.GOMAXPROCS(0)/2, 1), Waiting: hashesWaiting, Go: k.Go})
	f.verifier = auth.NewVerifier(f.users, w, f.p.RememberOrDefault())
}

// hashMax bounds how long a request waits for its password to be hashed.
const hashMax = 10 * time.Second

const (
	basicMissing = "basicAuth: there are no credentials"
	basicWrong   = "basicAuth: wrong user or password"
	basicBusy    = "basicAuth: too many passwords are being checked"
)

var nameChallenge = []byte("WWW-Authenticate")

func (f *basicAuth) Request(req *message.Request, m Match, d *exchange.Decision) {
	if f.header != "" {
		req.Fields = withoutAlike(req.Fields, f.header) // a client must not say who it is
	}
	var name, password []byte
	var ok bool
	name, password, d.Scratch, ok = auth.ParseBasic(only(req.Fields, "authorization"), d.Scratch)
	if !ok {
		refuse(d, m, 401, basicMissing, message.Field{Name: nameChallenge, Value: f.challenge})
		return
	}
	if m.Visit == nil {
		return // nobody hashes to explain
	}
	state, ticket := f.verifier.Ask(name, password, d.Now, d.Wake)
	mark := m.Visit.mark()
	mark.text, mark.lent = name, ticket
	f.settle(state, req, m, d)
}

// Resume looks whether the password was hashed.
func (f *basicAuth) Resume(req *message.Request, m Match, d *exchange.Decision, now time.Time) {
	state := auth.Busy
	if ticket, ok := m.Visit.mark().lent.(*auth.Ticket); ok && ticket != nil {
		state = ticket.State()
	}
	if state == auth.Waiting && !now.Before(d.Now.Add(hashMax)) {
		state = auth.Busy
	}
	f.settle(state, req, m, d)
}

// settle does what follows from what is known of a password.
func (f *basicAuth) settle(state auth.State, req *message.Request, m Match, d *exchange.Decision) {
	switch state {
	case auth.Waiting:
		d.Pending, d.Until = true, d.Now.Add(hashMax)
	case auth.Right:
		m.note(Passed)
		if f.p.Strip {
			req.Fields = message.Del(req.Fields, "authorization")
		}
		if f.header != "" {
			req.Fields = append(req.Fields, message.Field{Name: []byte(f.p.Header), Value: m.Visit.mark().text})
		}
	case auth.Wrong:
		refuse(d, m, 401, basicWrong, message.Field{Name: nameChallenge, Value: f.challenge})
	case auth.Busy:
		refuse(d, m, 503, basicBusy, message.Field{Name: nameRetry, Value: retrySoon})
	}
}

func (f *basicAuth) Explain(req *message.Request, _ Match) string {
	name, _, _, ok := auth.ParseBasic(only(req.Fields, "authorization"), nil)
	if !ok {
		return fmt.Sprintf("answers 401: there are no credentials for realm %q", f.p.RealmOrDefault())
	}
	return fmt.Sprintf("checks the password of user %q, one of %d", name, f.users.Len())
}

// only is the value of a field that has one line, else nil: of several, a target
// may believe another than we do.
func only(fields []message.Field, name string) []byte {
	var value []byte
	for i := range fields {
		if message.EqualFold(fields[i].Name, name) {
			if value != nil {
				return nil
			}
			value = fields[i].Value
		}
	}
	return value
}

// withoutAlike removes all lines of a field, whose name is in lower case, also
// under names that targets may take for it: "_" is "-" to those that read fields
// from variables (RFC 3875, section 4.1.18).
func withoutAlike(fields []message.Field, name string) []message.Field {
	kept := fields[:0]
	for _, f := range fields {
		if !alike(f.Name, name) {
			kept = append(kept, f)
		}
	}
	return kept
}

func alike(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case c == '_':
			c = '-'
		}
		want := lower[i]
		if want == '_' {
			want = '-'
		}
		if c != want {
			return false
		}
	}
	return true
}
