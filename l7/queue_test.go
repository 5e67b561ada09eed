package l7_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico/spec"
	"portico/spec/status"
)

// gate is a target that tells of each request and answers it when it is let go.
type gate struct {
	*httptest.Server
	came chan string   // the path of each request
	open chan struct{} // lets one go for each value
}

func newGate(t *testing.T, name string) *gate {
	t.Helper()
	g := &gate{came: make(chan string, 100), open: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.came <- r.URL.Path
		select {
		case <-g.open:
		case <-r.Context().Done():
		}
		w.Header().Set("X-Target", name)
	}))
	t.Cleanup(g.Close)
	return g
}

// next is the path of the next request that reaches the target.
func (g *gate) next(t *testing.T) string {
	t.Helper()
	select {
	case path := <-g.came:
		return path
	case <-time.After(10 * time.Second):
		t.Fatal("no request reaches the target")
		return ""
	}
}

// later asks on a connection of its own and yields what was answered: its status,
// and which target it is from.
func (b *bed) later(request string, headers ...string) <-chan string {
	c, said := b.dial(), make(chan string, 1)
	go func() {
		a, err := c.try(request, headers...)
		if err != nil {
			said <- err.Error()
			return
		}
		said <- strings.TrimSpace(fmt.Sprint(a.StatusCode, " ", a.Header.Get("X-Target"), a.Header.Get("Retry-After")))
	}()
	return said
}

// queue is the queue of the only group, once it has this length.
func (b *bed) queue(length int) *status.Queue {
	b.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		q := b.groups.Status()[0].Queue
		if q != nil && q.Length == length {
			return q
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the queue is %+v, want %d in it", q, length)
		}
		time.Sleep(time.Millisecond)
	}
}

func (b *bed) said(answer <-chan string, want string) {
	b.t.Helper()
	select {
	case got := <-answer:
		if got != want {
			b.t.Errorf("answered %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		b.t.Errorf("no answer, want %q", want)
	}
}

// limited is a group of targets that take one request at a time.
func limited(length int, wait time.Duration, gates ...*gate) spec.TargetGroup {
	var servers []*httptest.Server
	for _, g := range gates {
		servers = append(servers, g.Server)
	}
	g := group("web", servers...)
	g.Limits = spec.GroupLimits{Requests: 1, Queue: &spec.Queue{Length: length, Wait: spec.Duration(wait)}}
	return g
}

// TestQueue proves that requests wait for a target at its limit, are served in the
// order they came, body and all, and that one too many is told to come again.
func TestQueue(t *testing.T) {
	g := newGate(t, "one")
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, limited(2, 7*time.Second, g)) })
	first := b.later("GET /1 any.test")
	if path := g.next(t); path != "/1" {
		t.Fatalf("the target got %s", path)
	}
	second := b.later("POST /2 any.test", "Content-Length: 0")
	b.queue(1)
	third := b.later("GET /3 any.test")
	b.queue(2)
	b.said(b.later("GET /4 any.test"), "503 7")
	for i, answer := range []<-chan string{first, second, third} {
		g.open <- struct{}{}
		b.said(answer, "200 one")
		if i < 2 {
			if path, want := g.next(t), fmt.Sprint("/", i+2); path != want {
				t.Errorf("the target got %s, want %s", path, want)
			}
		}
	}
	if q := b.queue(0); q.Served != 2 || q.Refused != 1 {
		t.Errorf("the queue served %d and refused %d, want 2 and 1", q.Served, q.Refused)
	}
	log := strings.Join(b.log.all(t, 4), "\n")
	if n := strings.Count(log, `"held":`); n != 2 {
		t.Errorf("%d lines say how long the request was held, want 2:\n%s", n, log)
	}
	if !strings.Contains(log, `"reason":"overloaded"`) {
		t.Errorf("no line says overloaded:\n%s", log)
	}
}

// TestQueueWait proves that nobody waits longer than the spec says, and that who
// waited in vain leaves nothing behind.
func TestQueueWait(t *testing.T) {
	g := newGate(t, "one")
	b := newBed(t, func(_ *bed, s *spec.Spec) { toOne(s, limited(5, 50*time.Millisecond, g)) })
	first := b.later("GET /1 any.test")
	g.next(t)
	b.said(b.later("GET /2 any.test"), "503 1")
	if q := b.queue(0); q.Late != 1 {
		t.Errorf("%d waited in vain, want 1", q.Late)
	}
	g.open <- struct{}{}
	b.said(first, "200 one")
	if log := strings.Join(b.log.all(t, 2), "\n"); !strings.Contains(log, `"reason":"wait-timeout"`) {
		t.Errorf("no line says wait-timeout:\n%s", log)
	}
}

// TestQueueSpreads proves that a request whose balance names a full target goes to
// another that has room, and waits only when none has.
func TestQueueSpreads(t *testing.T) {
	one, two := newGate(t, "one"), newGate(t, "two")
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		g := limited(5, time.Minute, one, two)
		g.Balance = &spec.Choice{Name: "maglev"} // every request here has the same key
		toOne(s, g)
	})
	first, second := b.later("GET /a any.test"), b.later("GET /b any.test")
	one.next(t)
	two.next(t)
	third := b.later("GET /c any.test")
	b.queue(1)
	two.open <- struct{}{}
	if path := two.next(t); path != "/c" {
		t.Errorf("two got %s, want /c", path)
	}
	one.open <- struct{}{}
	two.open <- struct{}{}
	got := []string{<-first, <-second, <-third}
	if n := strings.Count(strings.Join(got, " "), "200"); n != 3 {
		t.Errorf("answered %q", got)
	}
}

// TestQueueSticky proves that a session waits for its own target though another
// has room.
func TestQueueSticky(t *testing.T) {
	one, two := newGate(t, "one"), newGate(t, "two")
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, limited(5, time.Minute, one, two))
		s.Routes[0].Rules[0].Sticky = &spec.Sticky{Cookie: &spec.StickyCookie{}}
	})
	c := b.dial()
	go func() {
		select {
		case one.open <- struct{}{}:
		case two.open <- struct{}{}:
		}
	}()
	a := c.do("GET / any.test")
	cookie := "Cookie: " + strings.SplitN(a.Header.Get("Set-Cookie"), ";", 2)[0]
	own := map[string]*gate{"one": one, "two": two}[a.Header.Get("X-Target")]
	if own == nil {
		t.Fatalf("answered %d %v", a.StatusCode, a.Header)
	}
	own.next(t)
	first := b.later("GET /1 any.test", cookie)
	own.next(t)
	second := b.later("GET /2 any.test", cookie)
	b.queue(1)
	for _, answer := range []<-chan string{first, second} {
		own.open <- struct{}{}
		b.said(answer, "200 "+a.Header.Get("X-Target"))
	}
}

// TestQueueApply proves that a new spec with more room serves those who wait.
func TestQueueApply(t *testing.T) {
	g := newGate(t, "one")
	var was *spec.Spec
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		toOne(s, limited(5, time.Minute, g))
		was = s
	})
	first := b.later("GET /1 any.test")
	g.next(t)
	second := b.later("GET /2 any.test")
	b.queue(1)
	more := *was
	more.TargetGroups = []spec.TargetGroup{limited(5, time.Minute, g)}
	more.TargetGroups[0].Limits.Requests = 2
	if err := b.apply(&more); err != nil {
		t.Fatal(err)
	}
	if path := g.next(t); path != "/2" {
		t.Errorf("the target got %s", path)
	}
	g.open <- struct{}{}
	g.open <- struct{}{}
	b.said(first, "200 one")
	b.said(second, "200 one")
}
