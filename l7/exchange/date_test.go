package exchange_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"portico/l7/exchange"
)

var dateLine = regexp.MustCompile(`\r\nDate: ([^\r]*)\r\n`)

// undate takes the Date out of what the client just got, if it is that of the moment or
// of little before, when what is sent only now was made: scripts leave it out.
func (p *player) undate() {
	got := p.got[exchange.ClientSide]
	at := dateLine.FindSubmatchIndex(got[p.dated:])
	if at == nil {
		return
	}
	for i := range at {
		at[i] += p.dated
	}
	when, err := time.Parse(http.TimeFormat, string(got[at[2]:at[3]]))
	if ago := p.now.Sub(when); err != nil || ago < 0 || ago > 10*time.Second {
		p.t.Fatalf("an answer of %s at %s", got[at[2]:at[3]], p.now.UTC().Format(http.TimeFormat))
	}
	p.dates = append(p.dates, when.Sub(epoch))
	p.got[exchange.ClientSide] = append(got[:at[0]+2], got[at[1]:]...)
	p.dated = at[0] + 2
}

// TestDate proves that what is answered here says when it was made (RFC 9110, section
// 6.6.1), once, to clients of each protocol; and that an answer of a target keeps its own
// date, and gets that of its coming when it has none. Interim ones need none.
func TestDate(t *testing.T) {
	const get = "client> GET /fixed HTTP/1.1|Host: x||"
	tests := []struct {
		name   string
		stream bool
		script []string
		want   []int // seconds
	}{
		{"answers of our own", false, []string{
			get, "client< HTTP/1.1 200 OK|Content-Length: 5||fixed", "- end handled 200 out=5",
			"wait 999ms", get, "client< HTTP/1.1 200 OK|Content-Length: 5||fixed", "- end handled 200 out=5",
			"wait 1ms", get, "client< HTTP/1.1 200 OK|Content-Length: 5||fixed", "- end handled 200 out=5",
			"wait 30s", "client> GARBAGE||", "client< HTTP/1.1 400 Bad Request|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||400 Bad Request~",
		}, []int{0, 0, 1, 31}},
		{"to a stream", true, []string{get, "client< 200|Content-Length: 5||fixed$"}, []int{0}},
		{"a failure", false, []string{
			"client> GET / HTTP/1.1|Host: x||", "- dial 10.0.0.1", "dial ok", "wait 2s", "target eof",
			"client< HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway~",
		}, []int{2}},
		{"a tunnel", false, []string{
			"client> CONNECT x:1 HTTP/1.1|Host: x:1||", "- dial fresh 10.0.0.1", "dial ok", "client< HTTP/1.1 200 OK||",
		}, []int{0}},
		{"a target's without", false, []string{
			"client> GET / HTTP/1.1|Host: x||", "- dial 10.0.0.1", "dial ok", "target> HTTP/1.1 200 OK|Content-Length: 0||",
			"wait 2s", "client< HTTP/1.1 200 OK|Content-Length: 0||",
		}, []int{0}},
		{"a target's with an old one", false, []string{
			"client> GET / HTTP/1.1|Host: x||", "- dial 10.0.0.1", "dial ok",
			"target> HTTP/1.1 200 OK|dAtE: Tue, 01 Jan 2019 00:00:00 GMT|Content-Length: 0||",
			"client< HTTP/1.1 200 OK|dAtE: Tue, 01 Jan 2019 00:00:00 GMT|Content-Length: 0||",
		}, nil},
		{"a target's that goes on first", false, []string{
			"client> GET / HTTP/1.1|Host: x||", "- dial 10.0.0.1", "dial ok", "target> HTTP/1.1 103 Early Hints|Link: </a>||",
			"client< HTTP/1.1 103 Early Hints|Link: </a>||", "wait 1s", "target> HTTP/1.1 200 OK|Content-Length: 0||",
			"client< HTTP/1.1 200 OK|Content-Length: 0||",
		}, []int{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlayer(t, func(int) int { return 0 })
			p.stream[exchange.ClientSide] = tt.stream
			p.act()
			for _, s := range tt.script {
				if err := p.step(s); err != nil {
					t.Fatalf("at %q: %v", s, err)
				}
			}
			if err := p.look(exchange.ClientSide); err != nil {
				t.Error(err)
			}
			ok := len(p.dates) == len(tt.want)
			for i := range min(len(p.dates), len(tt.want)) {
				ok = ok && p.dates[i] == time.Duration(tt.want[i])*time.Second
			}
			if !ok {
				t.Errorf("dated %v after the start, want %v seconds", p.dates, tt.want)
			}
		})
	}
}
