package poll

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// still is a poller without events; with full, it takes no more sockets.
type still struct {
	Poller
	full  bool
	wakes int
}

func (s *still) Add(int, Token) error {
	if s.full {
		return unix.ENOSPC
	}
	return nil
}
func (*still) Remove(int, Token) {}
func (s *still) Wake()           { s.wakes++ }

// TestWatched proves that whoever could not be watched leaves without taking another's
// place, also once tokens begin anew, and that nobody is told by the token of who had
// the place before.
func TestWatched(t *testing.T) {
	p, w := &still{}, Watched[string]{age: math.MaxUint32}
	first, err := w.Add(p, 3, "first")
	if err != nil || first == 0 {
		t.Fatalf("Add = %d, %v; want a token", first, err)
	}
	p.full = true
	none, err := w.Add(p, 4, "none")
	if err == nil || none != 0 {
		t.Fatalf("Add to a full poller = %d, %v; want an error", none, err)
	}
	w.Remove(p, 4, none)
	if who := w.Who(first); who == nil || *who != "first" {
		t.Error("whoever was watched before is told nothing any more")
	}
	w.Remove(p, 3, first)
	if w.Who(first) != nil {
		t.Error("told after Remove")
	}
	p.full = false
	for _, name := range []string{"second", "third"} { // in the two places there are
		token, err := w.Add(p, 5, name)
		if err != nil || token == first || len(w.places) > 2 {
			t.Fatalf("Add = %d, %v, with %d places; want another token in a place that is free", token, err, len(w.places))
		}
		if who := w.Who(token); who == nil || *who != name {
			t.Errorf("%s is not told", name)
		}
	}
	if w.Who(first) != nil {
		t.Error("told by the token of who had the place before")
	}
	if w.Who(0) != nil || w.Who(math.MaxUint32) != nil {
		t.Error("a token that nobody has is somebody's")
	}
}

// TestPosts proves that a post wakes a loop that may wait, once, and no other, and
// that what a post posts is called next time.
func TestPosts(t *testing.T) {
	p, s, called := &still{}, Posts{}, 0
	post := func() { s.Post(p, func() { called++ }) }
	if !s.Idle(true) {
		t.Error("not idle with nothing to do")
	}
	post()
	post()
	if p.wakes != 1 {
		t.Errorf("woken %d times by two posts, want once", p.wakes)
	}
	if s.Idle(true) {
		t.Error("idle with posts")
	}
	s.Post(p, post)
	s.Call()
	if called != 2 || s.Idle(true) {
		t.Errorf("%d were called; want two, and not to wait before the third", called)
	}
	s.Call()
	if called != 3 || p.wakes != 1 {
		t.Errorf("%d were called and %d wakes; want three, and one", called, p.wakes)
	}
	if s.Idle(false) {
		t.Error("idle with something else to do")
	}
	post()
	if p.wakes != 1 {
		t.Error("a loop that does not wait was woken")
	}
}
