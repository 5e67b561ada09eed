package desync

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/testkit"
	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

// suite is the name of the corpus on the page of scores.
const suite = "desync corpus"

// TestOneMeaning proves of every case that it is forwarded as the one thing it
// means or refused as the client's fault, that the origin sees the requests that
// Portico answered and no others, in the one form in which no two readers differ,
// and that neither the next request of the connection nor one of a stranger gets
// anything but its own answer.
func TestOneMeaning(t *testing.T) {
	b := bed.New(t)
	o := newOrigin(t, b.Addr("51:8000"))
	front := b.Addr("10:8001")
	p := b.Portico(b.Write("testdata/portico.yaml"), front, "--admin", "off")
	cases, good := corpus(t), 0
	for _, a := range cases {
		if t.Run(a.name, func(t *testing.T) { a.judge(t, o.watch(a, front, hang)) }) {
			good++
		}
	}
	bed.Publish(t, bed.Score{Suite: suite, Portico: fmt.Sprintf("%d/%d", good, len(cases))})
	for _, stream := range o.all() {
		want := reading{}.split(stream)
		for _, r := range readings {
			if got := r.split(stream); !slices.Equal(got, want) {
				t.Errorf("read as %q the requests end at %v, by RFC 9112 at %v: %q", r.name, got, want, stream)
			}
		}
	}
	logged(t, p, "alone", o.since(0))
}

// played is what became of one case.
type played struct {
	answers, stranger []answer
	ended             bool
	seen              []*seen
	peer              bool // a peer stands before the origin, and may refuse too
}

// watch plays a case and remembers what the origin saw of it.
func (o *origin) watch(a *attempt, front string, bound time.Duration) played {
	from := o.count()
	var p played
	p.answers, p.ended, p.stranger = a.play(front, bound)
	p.seen = o.since(from)
	return p
}

// judge compares what became of a case with what should.
func (a *attempt) judge(t *testing.T, p played) {
	t.Helper()
	want := slices.DeleteFunc(slices.Clone(a.want), func(o outcome) bool { return o.nothing })
	if a.stays() {
		want = append(want, outcome{method: "GET", target: "/canary"})
	}
	if n := len(want); p.peer && len(p.answers) == n+1 && n < len(a.want) && p.answers[n].refused() {
		p.answers = p.answers[:n] // the peer did not wait for the rest of what never comes
	}
	if len(p.answers) != len(want) || !p.ended {
		t.Errorf("%s: %d answers, want %d; the connection ended: %v, want true: %+v", a.at, len(p.answers), len(want), p.ended, p.answers)
		return
	}
	next := 0
	for i, o := range want {
		got := p.answers[i]
		switch {
		case o.status == 0 && p.peer && got.refused():
			t.Logf("%s: the peer refuses %v with %d", a.at, o, got.status)
		case o.status == 0:
			a.judgeSeen(t, o, got, p.seen, next)
			next++
		case got.seen >= 0 || got.status != o.status:
			t.Errorf("%s: answer %d is %d (origin's: %v), want %d of Portico", a.at, i+1, got.status, got.seen >= 0, o.status)
		}
	}
	a.judgeVictim(t, p, next)
	if !p.peer {
		a.judgeHead(t, p.seen)
	}
}

// judgeSeen compares the nth request at the origin with what was expected, and
// with the answer that the client took for its.
func (a *attempt) judgeSeen(t *testing.T, want outcome, got answer, all []*seen, n int) {
	t.Helper()
	if n >= len(all) {
		t.Errorf("%s: answer %d %q: the origin has not seen %v", a.at, got.status, got.body, want)
		return
	}
	s := all[n]
	if s.refused != nil {
		t.Errorf("%s: the origin would not read %q: %v", a.at, s.raw, s.refused)
		return
	}
	if got.seen < 0 || want.method != "HEAD" && string(got.body) != string(s.raw) {
		t.Errorf("%s: %v was answered with %d %q, while the origin saw %q", a.at, want, got.status, got.body, s.raw)
	}
	if s.method != want.method || s.target != want.target || string(s.body) != want.body {
		t.Errorf("%s: the origin saw %s %s %q, want %v %q", a.at, s.method, s.target, s.body, want, want.body)
	}
}

// judgeVictim proves that a stranger got the answer to its own request, and that
// nothing else reached the origin.
func (a *attempt) judgeVictim(t *testing.T, p played, own int) {
	t.Helper()
	if len(p.seen) != own+1 {
		t.Errorf("%s: the origin saw %d requests, want %d of the case and the victim", a.at, len(p.seen), own)
		return
	}
	if len(p.stranger) != 1 || p.stranger[0].seen < 0 || !strings.HasPrefix(string(p.stranger[0].body), "GET /victim ") {
		t.Errorf("%s: the victim was answered with %+v", a.at, p.stranger)
	}
}

// judgeHead looks for the lines that the first request should have and lack.
func (a *attempt) judgeHead(t *testing.T, all []*seen) {
	t.Helper()
	for _, line := range a.has {
		if !slices.Contains(all[0].head, line) {
			t.Errorf("%s: the origin did not get %q in %q", a.at, line, all[0].head)
		}
	}
	for _, name := range a.lacks {
		if v := (reading{}).field(all[0].request, name); len(v) > 0 {
			t.Errorf("%s: the origin got %s: %q", a.at, name, v)
		}
	}
}

// logged proves that Portico's log has the requests that the origin saw, in their
// order, and that no fault in it is laid at the target's door.
func logged(t *testing.T, p *bed.Process, listener string, all []*seen) {
	t.Helper()
	var want []string
	for _, s := range all {
		want = append(want, s.method)
	}
	testkit.Poll(t, hang, func() error {
		var got []string
		for _, line := range p.Out.Lines() {
			var e struct {
				Listener, Method, Target, Reason, Detail string
				Status                                   int
			}
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				return fmt.Errorf("%q: %w", line, err)
			}
			if e.Listener != listener {
				continue
			}
			if e.Status >= 502 && e.Status <= 504 {
				t.Errorf("a client's fault was taken for a target's: %s", line)
			}
			if e.Target != "" && e.Status == 200 {
				got = append(got, e.Method)
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("logged as answered by a target:\n%q, want\n%q", got, want)
		}
		return nil
	})
}
