package filter_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/l7/auth"
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/spec"
)

// secretUsers has ann, whose password is "secret".
var secretUsers = spec.Secret{Value: []byte("ann:$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.")}

// waitVisit runs a chain over a request, and again whenever it is woken, as a
// machine does.
func waitVisit(t *testing.T, c *filter.Chain, req *message.Request) (*exchange.Decision, *filter.Visit) {
	t.Helper()
	woken := make(chan struct{}, 100)
	m, d := match, &exchange.Decision{Now: noon, Wake: func() { woken <- struct{}{} }}
	m.Visit = &filter.Visit{}
	c.Request(req, m, d)
	for d.Pending {
		if !d.Until.After(noon) {
			t.Fatal("the wait has no end")
		}
		d.Pending = false
		c.Resume(req, m, d, noon) // for no reason
		if d.Pending {
			d.Pending = false
			<-woken
			c.Resume(req, m, d, noon)
		}
	}
	return d, m.Visit
}

func credentials(s string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s))
}

// Who knows a password passes, and the target learns who it is; others are asked
// for it. What a client says of itself is removed.
func TestBasicAuth(t *testing.T) {
	const want401 = `WWW-Authenticate: Basic realm="back office", charset="UTF-8" | Content-Type: text/plain; charset=utf-8 | X-Request-Id: id1`
	tests := []struct {
		name  string
		lines []string
		why   string
		sent  string
	}{
		{"right", []string{credentials("ann:secret"), "A: b"}, "", "A: b | X-User: ann"},
		{"right again", []string{credentials("ann:secret")}, "", "X-User: ann"},
		{"who the client says it is", []string{"x_user: root", credentials("ann:secret"), "X-USER: root"}, "", "X-User: ann"},
		{"wrong password", []string{credentials("ann:guess")}, "basicAuth: wrong user or password", ""},
		{"wrong user", []string{credentials("eve:secret")}, "basicAuth: wrong user or password", ""},
		{"none", nil, "basicAuth: there are no credentials", ""},
		{"garbage", []string{"Authorization: Basic !"}, "basicAuth: there are no credentials", ""},
		{"two lines", []string{credentials("ann:secret"), credentials("eve:x")}, "basicAuth: there are no credentials", ""},
	}
	c := compile(t, one("basicAuth", &auth.Basic{Users: secretUsers, Realm: "back office", Header: "X-User", Strip: true}))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := from("192.0.2.1")
			req.Fields = fields(tt.lines...)
			d, v := waitVisit(t, c, req)
			switch {
			case v.Why() != tt.why:
				t.Errorf("why %q, want %q", v.Why(), tt.why)
			case tt.why == "" && (d.Fixed != nil || text(req.Fields) != tt.sent || v.Outcome(0) != filter.Passed):
				t.Errorf("sent %s, want %s; answer %+v", text(req.Fields), tt.sent, d.Fixed)
			case tt.why != "" && (d.Fixed == nil || d.Fixed.Status != 401 || text(d.Fixed.Fields) != want401 || v.Outcome(0) != filter.Refused):
				t.Errorf("answer %+v", d.Fixed)
			}
		})
	}
	req := from("192.0.2.1")
	req.Fields = fields(credentials("ann:secret"))
	for lines, want := range map[string]string{
		credentials("ann:secret"): `basicAuth: checks the password of user "ann", one of 1`,
		"A: b":                    `basicAuth: answers 401: there are no credentials for realm "back office"`,
	} {
		req.Fields = fields(lines)
		if got := c.Explain(req, match, &exchange.Decision{})[0]; got != want || strings.Contains(got, "secret") {
			t.Errorf("Explain = %q, want %q", got, want)
		}
	}
}

// A password whose hash takes too long is not waited for.
func TestBasicAuthSlow(t *testing.T) {
	c := compile(t, one("basicAuth", &auth.Basic{Users: secretUsers}))
	req := from("192.0.2.1")
	req.Fields = fields(credentials("ann:secret"))
	done := make(chan struct{})
	m, d := match, &exchange.Decision{Now: noon, Wake: func() { close(done) }}
	m.Visit = &filter.Visit{}
	c.Request(req, m, d)
	until := d.Until
	d.Pending = false
	// The hash may be done by now: then the request passes, as it should.
	c.Resume(req, m, d, until)
	if d.Pending || d.Fixed != nil && d.Fixed.Status != 503 {
		t.Errorf("at the end of the wait: pending %v, answer %+v", d.Pending, d.Fixed)
	}
	<-done
}

// service answers by the path of the request it is asked about, and says what it saw.
func service(t *testing.T, saw *atomic.Value) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw.Store(r.Header.Clone())
		w.Header().Set("X-Secret", "of the service")
		switch strings.TrimPrefix(r.Header.Get("X-Forwarded-Uri"), "/") {
		case "pass?q=1":
			w.Header().Add("X-User", "ann")
			w.Header().Add("X-User", "admin")
		case "login":
			w.Header().Set("Location", "https://login.test/")
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusFound)
		case "no":
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "not you")
		case "large":
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, strings.Repeat("a", 64<<10+1))
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "cut":
			w.Header().Set("Content-Length", "10")
			w.WriteHeader(http.StatusForbidden)
		case "slow":
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// The service's word is done: what it lets pass goes on with its fields, what it
// refuses is answered as it says, and where it says nothing, as the spec says.
func TestForwardAuth(t *testing.T) {
	const failed, open = "forwardAuth: the service did not answer", "forwardAuth: the service did not answer, and the request passed"
	tests := []struct {
		path, query string
		open        bool
		status      int // 0 where the request passes
		why         string
		fields      string // of the answer, or of the request
		body        string
	}{
		{"/pass", "q=1", false, 0, "", "A: b | Cookie: c=1 | X-User: ann | X-User: admin", ""},
		{"/login", "", false, 302, "forwardAuth: the service refused the request", "Location: https://login.test/ | Set-Cookie: a=1 | Set-Cookie: b=2", ""},
		{"/no", "", false, 403, "forwardAuth: the service refused the request", "Content-Type: text/plain", "not you"},
		{"/large", "", false, 503, failed, "", ""},
		{"/broken", "", false, 503, failed, "", ""},
		{"/cut", "", false, 503, failed, "", ""},
		{"/slow", "", false, 503, failed, "", ""},
		{"/broken", "", true, 0, open, "A: b | Cookie: c=1", ""},
		{"/slow", "", true, 0, open, "A: b | Cookie: c=1", ""},
		{"/no", "", true, 403, "forwardAuth: the service refused the request", "Content-Type: text/plain", "not you"},
	}
	var saw atomic.Value // an http.Header
	s := service(t, &saw)
	for _, tt := range tests {
		p := &auth.Forward{URL: s.URL + "/verify", Take: []string{"X-User"}, Timeout: spec.Duration(100 * time.Millisecond)}
		if tt.open {
			p.OnFailure = "open"
		}
		c := compile(t, one("forwardAuth", p))
		req := from("192.0.2.1")
		req.Path, req.Query, req.HasQuery = []byte(tt.path), []byte(tt.query), tt.query != ""
		req.Fields = fields("A: b", "x_user: root", "Cookie: c=1", "X-USER: root")
		d, v := waitVisit(t, c, req)
		if v.Why() != tt.why {
			t.Errorf("%s: why %q, want %q", tt.path, v.Why(), tt.why)
		}
		switch {
		case tt.status == 0:
			if d.Fixed != nil || text(req.Fields) != tt.fields || v.Outcome(0) != filter.Passed {
				t.Errorf("%s: sent %s, want %s; answer %+v", tt.path, text(req.Fields), tt.fields, d.Fixed)
			}
		case d.Fixed == nil || d.Fixed.Status != tt.status || d.Fixed.Why != outcome.Refused || v.Outcome(0) != filter.Refused:
			t.Errorf("%s: answer %+v", tt.path, d.Fixed)
		case tt.fields != "" && !strings.HasPrefix(text(d.Fixed.Fields), tt.fields), tt.body != "" && string(d.Fixed.Body) != tt.body:
			t.Errorf("%s: answer %s %q", tt.path, text(d.Fixed.Fields), d.Fixed.Body)
		case strings.Contains(text(d.Fixed.Fields), "X-Secret"):
			t.Errorf("%s: a field that no client should see: %s", tt.path, text(d.Fixed.Fields))
		}
	}
}

// The service sees method, URI, and the fields that are chosen, and no others.
func TestForwardAuthSends(t *testing.T) {
	var saw atomic.Value // an http.Header
	s := service(t, &saw)
	for name, tt := range map[string]struct {
		send []string
		want string
	}{
		"by default": {nil, "Authorization Cookie X-Forwarded-For X-Forwarded-Method X-Forwarded-Uri"},
		"chosen":     {[]string{"x-token"}, "X-Forwarded-For X-Forwarded-Method X-Forwarded-Uri X-Token"},
	} {
		c := compile(t, one("forwardAuth", &auth.Forward{URL: s.URL, Send: tt.send}))
		req := from("192.0.2.1")
		req.Method = []byte("DELETE")
		req.Fields = fields("Cookie: c=1", "Authorization: x", "X-Token: t", "X-Forwarded-For: 192.0.2.1", "Connection: close", "X-Other: o")
		waitVisit(t, c, req)
		saw := saw.Load().(http.Header)
		var names []string
		for _, n := range []string{"Authorization", "Connection", "Cookie", "X-Forwarded-For", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Other", "X-Token", "User-Agent"} {
			if saw.Get(n) != "" {
				names = append(names, n)
			}
		}
		if got := strings.Join(names, " "); got != tt.want || saw.Get("X-Forwarded-Method") != "DELETE" || saw.Get("X-Forwarded-Uri") != "/api/x?q=1" {
			t.Errorf("%s: the service saw %v", name, saw)
		}
	}
}

// No more requests wait for the service than may: the next count as unanswered.
func TestForwardAuthBusy(t *testing.T) {
	var saw atomic.Value // an http.Header
	c := compile(t, one("forwardAuth", &auth.Forward{URL: service(t, &saw).URL, Concurrent: 1, Timeout: spec.Duration(200 * time.Millisecond)}))
	req := from("192.0.2.1")
	req.Path, req.HasQuery = []byte("/slow"), false
	woken := make(chan struct{})
	m, d := match, &exchange.Decision{Now: noon, Wake: func() { close(woken) }}
	m.Visit = &filter.Visit{}
	c.Request(req, m, d)
	if second, v := waitVisit(t, c, from("192.0.2.2")); !d.Pending || second.Fixed == nil || second.Fixed.Status != 503 || v.Why() == "" {
		t.Errorf("the second of one gets %+v", second.Fixed)
	}
	<-woken
}

// What cannot be asked, known or set is refused, and no secret is shown.
func TestAuthCheck(t *testing.T) {
	tests := []struct {
		name  string
		p     spec.Checker
		wants string
	}{
		{"good", &auth.Basic{Users: secretUsers, Realm: "a b", Header: "X-User"}, ""},
		{"no users", &auth.Basic{}, "users: there is no user"},
		{"bad user", &auth.Basic{Users: spec.Secret{Value: []byte("ann:hunter2")}}, `users: line 1: user "ann": the hash is of no kind that is known`},
		{"realm", &auth.Basic{Users: secretUsers, Realm: `a"b`}, `realm: "a\"b" cannot stand in a header`},
		{"header", &auth.Basic{Users: secretUsers, Header: "a b"}, `header: "a b" is not the name of a header`},
		{"header of framing", &auth.Basic{Users: secretUsers, Header: "Content-Length"}, `header: "Content-Length" is not a filter's to set`},
		{"service", &auth.Forward{URL: "https://a.test/x?y=z", Take: []string{"X-User"}}, ""},
		{"group", &auth.Forward{TargetGroup: "g", Path: "/verify"}, ""},
		{"not a URL", &auth.Forward{URL: "a.test"}, `url: "a.test" is not the URL of a service; use one such as http://10.0.0.9:9000/verify`},
		{"password in a URL", &auth.Forward{URL: "http://a:b@c.test/"}, "is not the URL of a service"},
		{"path", &auth.Forward{TargetGroup: "g", Path: "verify"}, `path: "verify" is not a path; begin it with a slash`},
		{"send", &auth.Forward{URL: "http://a.test", Send: []string{"a b"}}, `send[0]: "a b" is not the name of a header`},
		{"take", &auth.Forward{URL: "http://a.test", Take: []string{"X-A", "Host"}}, `take[1]: "Host" is not a filter's to set`},
		{"body", &filter.BodyLimit{}, "max: 0B is no limit"},
		{"good body", &filter.BodyLimit{Max: 1}, ""},
	}
	for _, tt := range tests {
		got := spec.Problems(tt.p.Check())
		if (tt.wants == "") != (len(got) == 0) || tt.wants != "" && !strings.Contains(got.Error(), tt.wants) {
			t.Errorf("%s: Check = %v, want %q", tt.name, got, tt.wants)
		}
		if len(got) > 0 && strings.Contains(got.Error(), "hunter2") {
			t.Errorf("%s: the problem shows a secret: %v", tt.name, got)
		}
	}
}

// A body that says it is too large is refused at once; of others the exchange
// knows the limit.
func TestBodyLimit(t *testing.T) {
	c := compile(t, one("bodyLimit", &filter.BodyLimit{Max: 10}))
	for length, refused := range map[int64]bool{0: false, 10: false, 11: true} {
		req := from("192.0.2.1")
		req.Framing, req.Length = message.Length, length
		d, v := waitVisit(t, c, req)
		if (d.Fixed != nil) != refused || d.BodyLimit != 10 || refused && (d.Fixed.Status != 413 || v.Why() == "") {
			t.Errorf("%d bytes: limit %d, answer %+v", length, d.BodyLimit, d.Fixed)
		}
		if got := c.Explain(req, match, &exchange.Decision{})[0]; strings.Contains(got, "413") != refused {
			t.Errorf("Explain = %q", got)
		}
	}
}
