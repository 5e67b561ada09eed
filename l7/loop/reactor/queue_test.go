package reactor

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"portico/internal/poll"
)

// told remembers what it was told.
type told struct {
	ready []poll.Ready
	all   *[]*told // in the order that they were told
}

func (o *told) Event(r poll.Ready) {
	o.ready = append(o.ready, r)
	*o.all = append(*o.all, o)
}

// still is a poller without events.
type still struct{ poll.Poller }

func (still) Add(int, poll.Token) error { return nil }
func (still) Remove(int, poll.Token)    {}

// TestQueue proves that tokens leave in the order they came, however pushes and
// pops alternate, and that the memory of those that left is used again.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var in, out poll.Token
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			for range rapid.IntRange(0, 40).Draw(t, "pushes") {
				in++
				q.push(queued{token: in})
			}
			for n := rapid.IntRange(0, 40).Draw(t, "pops"); n > 0 && !q.empty(); n-- {
				out++
				if got := q.pop(); got != out {
					t.Fatalf("pop = %d, want %d", got, out)
				}
			}
			if q.empty() != (in == out) {
				t.Fatalf("empty = %v with %d of %d out", q.empty(), out, in)
			}
		}
		if cap(q.tokens) > 4*800 {
			t.Fatalf("room for %d tokens", cap(q.tokens))
		}
	})
}

// TestFinishFirst proves that events of targets are told before those of clients
// that came earlier, that clients wait for their turn in order and are told once of
// all that happened meanwhile, and that those who left are not told at all.
func TestFinishFirst(t *testing.T) {
	l := &Loop{poll: still{}}
	var order []*told
	who := func(brings bool) (*told, poll.Token) {
		o := &told{all: &order}
		token, err := l.Watch(0, brings, o)
		if err != nil {
			t.Fatal(err)
		}
		return o, token
	}
	clients := make([]*told, 2*admitMax)
	for i := range clients {
		var token poll.Token
		clients[i], token = who(true)
		l.take(poll.Event{Token: token, Ready: poll.In}, time.Time{})
		l.take(poll.Event{Token: token, Ready: poll.Out}, time.Time{})
	}
	gone, token := who(true)
	l.take(poll.Event{Token: token, Ready: poll.In}, time.Time{})
	l.Unwatch(0, token)
	target, token := who(false)
	l.take(poll.Event{Token: token, Ready: poll.In}, time.Time{})
	if len(order) != 1 || order[0] != target {
		t.Fatalf("%d were told before the clients' turn, want the target alone", len(order))
	}
	l.admit()
	if len(order) != 1+admitMax {
		t.Fatalf("%d clients were told in one turn, want %d", len(order)-1, admitMax)
	}
	for !l.queue.empty() {
		l.admit()
	}
	for i, c := range clients {
		if order[1+i] != c || len(c.ready) != 1 || c.ready[0] != poll.In|poll.Out {
			t.Fatalf("client %d was told %v, want once, in order, of all that happened", i, c.ready)
		}
	}
	if len(gone.ready) > 0 {
		t.Errorf("one who left was told %v", gone.ready)
	}
}

// once is a poller that tells of one event, and counts who wakes it.
type once struct {
	still
	event poll.Event
	told  bool
	wakes int
}

func (o *once) Wait(events []poll.Event, _ bool, _ time.Time) int {
	if o.told {
		return 0
	}
	o.told = true
	events[0] = o.event
	return 1
}

func (o *once) Wake() { o.wakes++ }

func (*once) Close() error { return nil }

// does is a watcher that is a function.
type does func()

func (do does) Event(poll.Ready) { do() }

// What is posted while an event is looked at is called, and wakes nobody: the loop is
// awake.
func TestPostOfEvent(t *testing.T) {
	var l Loop
	p := &once{}
	l.Init(p, func() {})
	token, err := l.Watch(0, false, does(func() { l.Post(l.Stop) }))
	if err != nil {
		t.Fatal(err)
	}
	p.event = poll.Event{Token: token, Ready: poll.In}
	l.Run()
	if p.wakes > 0 {
		t.Errorf("the loop was woken %d times, want none", p.wakes)
	}
}
