package l7_test

import (
	"strings"
	"testing"
	"time"

	"portico/spec"
	"portico/spec/status"
	"portico/target/health"
)

// stickyTo is a rule that shares requests over groups and keeps sessions.
func stickyTo(groups ...spec.GroupRef) spec.Rule {
	return spec.Rule{TargetGroups: groups, Sticky: &spec.Sticky{Cookie: &spec.StickyCookie{TTL: spec.Duration(time.Hour)}}}
}

// cookieOf returns NAME=VALUE of the answer's cookie, or "".
func cookieOf(a answer) string {
	p, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	return p
}

// A session stays on its target and group over 50 requests on 50 connections;
// targets never see the cookie, and it is set once.
func TestStickyStays(t *testing.T) {
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.TargetGroups = []spec.TargetGroup{
			group("main", newTarget(t, "m1"), newTarget(t, "m2"), newTarget(t, "m3")),
			group("canary", newTarget(t, "c1"), newTarget(t, "c2")),
		}
		s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{stickyTo(spec.GroupRef{Name: "main", Weight: 1}, spec.GroupRef{Name: "canary", Weight: 1})}}}
		s.Listeners[0].Routes = []spec.RouteName{"r"}
	})
	used := map[string]bool{}
	for range 10 { // clients
		first := b.dial().do("GET / shop.test")
		cookie := cookieOf(first)
		if cookie == "" || !strings.Contains(first.Header.Get("Set-Cookie"), "; Max-Age=3600") {
			t.Fatalf("Set-Cookie is %q", first.Header.Get("Set-Cookie"))
		}
		used[first.seen(t).Target] = true
		for i := range 50 {
			a := b.dial().do("GET / shop.test", "Cookie: a=1; "+cookie)
			s := a.seen(t)
			if want := first.seen(t).Target; s.Target != want || a.Header.Get("Set-Cookie") != "" || s.Header.Get("Cookie") != "a=1" {
				t.Fatalf("request %d: target %s, want %s; Set-Cookie %q, the target saw cookie %q", i, s.Target, want, a.Header.Get("Set-Cookie"), s.Header.Get("Cookie"))
			}
		}
	}
	if len(used) < 2 {
		t.Errorf("all sessions went to %v", used)
	}
}

// A session moves when its target is unhealthy, once, with a new cookie; weight
// 0 and drain leave it where it is.
func TestStickyMoves(t *testing.T) {
	one, two := newTarget(t, "one"), newTarget(t, "two")
	g := group("g", one, two)
	g.Health = &spec.Health{
		Check:  spec.Choice{Name: "tcp", Params: paramsOf(t, "tcp")},
		Timing: spec.Timing{Interval: spec.Duration(50 * time.Millisecond), Timeout: spec.Duration(time.Second), Rise: 1, Fall: 1},
	}
	rule := stickyTo(refs("g")...)
	edit := func(s *spec.Spec, g spec.TargetGroup) {
		s.TargetGroups = []spec.TargetGroup{g}
		s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{rule}}}
		s.Listeners[0].Routes = []spec.RouteName{"r"}
	}
	b := newBed(t, func(_ *bed, s *spec.Spec) { edit(s, g) })
	waitFor(t, "both to be healthy", func() bool {
		for _, x := range b.groups.Group("g").Status().Targets {
			if x.Verdict != status.Healthy {
				return false
			}
		}
		return true
	})
	first := b.dial().do("GET / shop.test")
	cookie, home := cookieOf(first), first.seen(t).Target
	servers := map[string]int{"one": 0, "two": 1}

	drained := b.base()
	g2 := g
	g2.Targets = append([]spec.Target{}, g.Targets...)
	g2.Targets[servers[home]].Weight = 0
	g2.Targets[servers[home]].Drain = true
	edit(drained, g2)
	if err := b.apply(drained); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if got := b.dial().do("GET / shop.test", "Cookie: "+cookie).seen(t).Target; got != home {
			t.Fatalf("a drained target lost its session to %s", got)
		}
		if got := b.dial().do("GET / shop.test").seen(t).Target; got == home {
			t.Fatal("a drained target got a new session")
		}
	}

	if home == "one" {
		one.Close()
	} else {
		two.Close()
	}
	moved := b.dial().do("GET / shop.test", "Cookie: "+cookie)
	next := cookieOf(moved)
	if moved.StatusCode != 200 || moved.seen(t).Target == home || next == "" || next == cookie {
		t.Fatalf("after the target died: %d, target %s, cookie %q", moved.StatusCode, moved.seen(t).Target, next)
	}
	if a := b.dial().do("GET / shop.test", "Cookie: "+next); a.seen(t).Target == home || cookieOf(a) != "" {
		t.Errorf("the moved session is on %s, cookie %q", a.seen(t).Target, cookieOf(a))
	}
}

// A cookie of another key is replaced; over https it is Secure.
func TestStickyKeys(t *testing.T) {
	rule := stickyTo(refs("g")...)
	var s1, s2 *spec.Spec
	b := newBed(t, func(_ *bed, s *spec.Spec) {
		s.Secrets.Sticky = []spec.Secret{{Value: []byte("0123456789abcdef")}}
		s.TargetGroups = []spec.TargetGroup{group("g", newTarget(t, "a"), newTarget(t, "b"))}
		s.Routes = []spec.Route{{Name: "r", Rules: []spec.Rule{rule}}}
		s.Listeners[0].Routes = []spec.RouteName{"r"}
		s1 = s
	})
	cookie := cookieOf(b.dial().do("GET / shop.test"))
	change := func(keys ...string) {
		c := *s1
		s2 = &c
		s2.Secrets.Sticky = nil
		for _, k := range keys {
			s2.Secrets.Sticky = append(s2.Secrets.Sticky, spec.Secret{Value: []byte(k)})
		}
		if err := b.apply(s2); err != nil {
			t.Fatal(err)
		}
	}
	change("fedcba9876543210", "0123456789abcdef") // rotated
	if a := b.dial().do("GET / shop.test", "Cookie: "+cookie); cookieOf(a) != "" {
		t.Errorf("after a rotation the cookie was replaced by %q", cookieOf(a))
	}
	change("fedcba9876543210")
	if a := b.dial().do("GET / shop.test", "Cookie: "+cookie); cookieOf(a) == "" || cookieOf(a) == cookie {
		t.Errorf("with an unknown key the cookie was replaced by %q", cookieOf(a))
	}
}

// paramsOf makes the default parameters of a health check.
func paramsOf(t *testing.T, name string) any {
	t.Helper()
	for _, k := range health.Kinds() {
		if k.Name == name {
			return k.Params()
		}
	}
	t.Fatalf("no check %q", name)
	return nil
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
