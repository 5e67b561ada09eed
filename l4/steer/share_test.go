package steer_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/spec"
)

// TestNewNode proves that a node which is added within a window gives flows of the time
// before the same second chance as the one that was there, until the same moment, and
// that a change waits there too. Without a folder that both have, it gives none.
func TestNewNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		b := start(t, keep, false)
		b.apply("abcd")
		defer b.run()()
		time.Sleep(2 * time.Second)
		b.apply("Abcd")
		time.Sleep(5 * time.Second)

		added, alone := start(t, keep.of(neighbor), false), start(t, newMemory().of(neighbor), false)
		added.apply("Abcd")
		alone.apply("Abcd")
		added.want("added", "bcd/abc")
		alone.want("added, and alone", "bcd/")
		defer added.run()()
		time.Sleep(2 * time.Second)
		b.apply("Abcde")
		added.apply("Abcde")
		time.Sleep(2 * time.Second)
		added.want("e waits", "bcd/abc")
		is, want := added.steer.Status("db"), b.steer.Status("db")
		if !is.Until.Equal(want.Until) || is.Generation != want.Generation || !is.Waits {
			t.Errorf("Status = %+v, want generation and window of %+v, and that e waits", is, want)
		}
		time.Sleep(drain)
		added.want("the window passed", "bcde/bcd")
	})
}

// pair is two nodes that keep where they find each other's, with the same spec.
func pair(t *testing.T) (keep *memory, b, other *bed) {
	t.Helper()
	keep = newMemory()
	b, other = start(t, keep, false), start(t, keep.of(neighbor), false)
	b.apply("abcd")
	other.apply("abcd")
	return keep, b, other
}

// TestOtherVerdicts proves that flows of a node whose verdicts differ get a second chance
// at others while it runs and as long after as they live, that nobody takes over its
// verdicts, and that no change waits for it.
func TestOtherVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep, b, other := pair(t)
		defer b.run()()
		stop := other.run()
		time.Sleep(2 * time.Second)
		other.setDown("bcd") // it is cut off, and a is found again each time
		time.Sleep(3 * time.Second)
		b.want("the other has a alone", "abcd/a")
		if s := b.steer.Status("db"); s.From != neighbor || s.Waits || s.Generation != 1 {
			t.Errorf("Status = %+v, want generation 1 with a chance from %s", s, neighbor)
		}
		tables := b.tables()
		time.Sleep(3 * drain)
		b.want("it still has", "abcd/a")
		if n := b.tables(); n != tables {
			t.Errorf("told of %d tables after %d, want of each once, however long it is of use", n, tables)
		}
		if kept := keep.text("l4-generation-db"); strings.Contains(kept, "until") {
			t.Errorf("kept %s, want nothing of what was learned", kept)
		}
		b.apply("abCd")
		if s := b.steer.Status("db"); s.Targets != 3 || s.Waits || s.From != "" {
			t.Errorf("Status = %+v, want that c left at once, with a chance for its flows", s)
		}
		time.Sleep(drain + time.Second)
		if s := b.steer.Status("db"); s.Targets != 3 || s.From != neighbor {
			t.Errorf("Status = %+v, want a chance from %s once the window passed", s, neighbor)
		}
		stop()
		time.Sleep(drain - 2*time.Second)
		if s := b.steer.Status("db"); s.From != neighbor {
			t.Errorf("Status = %+v, want a chance from %s as long as its flows live", s, neighbor)
		}
		time.Sleep(4 * time.Second)
		b.want("its flows ended", "abd/")
		if s := b.steer.Status("db"); s.From != "" || !s.Until.IsZero() {
			t.Errorf("Status = %+v, want no chance", s)
		}
	})
}

// TestDrainedElsewhereFirst proves that a target which drains, and of which another node
// learns two seconds before this one, costs this node one table more and nothing else: for
// those seconds flows that the other placed have a second chance, then its own window is
// open as ever, no slot was at risk, and nothing waited.
func TestDrainedElsewhereFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, other := pair(t)
		defer b.run()()
		defer other.run()()
		time.Sleep(2 * time.Second)
		other.apply("Abcd")
		time.Sleep(2 * time.Second)
		b.want("the other drains a", "abcd/bcd")
		b.apply("Abcd")
		for range 20 {
			b.want("both drain a", "bcd/abc")
			other.want("both drain a", "bcd/abc")
			time.Sleep(drain / 20)
		}
		time.Sleep(3 * time.Second)
		for _, node := range []*bed{b, other} {
			node.want("the window passed", "bcd/")
			if s := node.steer.Status("db"); s.Generation != 2 || s.AtRisk != 0 || s.Waits || s.From != "" {
				t.Errorf("Status = %+v, want generation 2 and nothing at risk or left", s)
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if got, want := strings.Join(b.told, ", "), "db abcd/, db abcd/bcd, db bcd/abc, db bcd/"; got != want {
			t.Errorf("told of %s, want %s", got, want)
		}
	})
}

// TestAway proves that a node which was away for longer than flows live begins with what
// another has kept meanwhile, and one that was not with its own.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			away time.Duration
			want string
		}{{time.Second, "bcde/abcd"}, {2 * drain, "bcde/"}} {
			keep, b, other := pair(t)
			stop, stopOther := b.run(), other.run()
			time.Sleep(2 * time.Second)
			stop()
			other.apply("bcde")
			time.Sleep(tt.away)
			again := start(t, keep, false)
			again.apply("bcde")
			again.want("after "+tt.away.String(), tt.want)
			stopOther()
		}
	})
}

// TestSharingFails proves that a node goes on by itself where it cannot be seen, or not
// read what another keeps, and with the other as soon as it can.
func TestSharingFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		other := keep.of(neighbor)
		other.put(neighbor, "l4-generation-db", "{")
		keep.set(errors.New("no space left on device"))
		b := start(t, keep, false)
		b.apply("abcd")
		defer b.run()()
		time.Sleep(5 * time.Second)
		b.want("alone", "abcd/")
		if at := other.Seen(self); !at.IsZero() {
			t.Errorf("seen at %v, want never", at)
		}
		keep.set(nil)
		o := start(t, other, false)
		o.apply("ab")
		defer o.run()()
		time.Sleep(3 * time.Second) // one to keep, and one to listen
		b.want("the other is there again", "abcd/ab")
		o.want("and sees this one", "ab/abcd")
	})
}

// TestCutOffFirst proves that a node which is added while another is cut off from most
// targets does not send all its flows to the few that the other has, and that flows of
// the other get their chance.
func TestCutOffFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		other := start(t, keep.of(neighbor), false)
		other.apply("abcd")
		defer other.run()()
		time.Sleep(2 * time.Second)
		other.setDown("bcd")
		time.Sleep(2 * time.Second)

		added := start(t, keep, false)
		added.apply("abcd")
		defer added.run()()
		time.Sleep(2 * time.Second)
		added.want("added", "abcd/a")
		if s := added.steer.Status("db"); s.Waits {
			t.Errorf("Status = %+v, want that nothing waits", s)
		}
	})
}

// TestClockSetBack proves that a node which died before the clock was set back is not
// taken for one that runs, and that one that runs is.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		other := start(t, keep.of(neighbor), false)
		other.apply("ab")
		stop := other.run()
		time.Sleep(2 * time.Second)
		stop()
		keep.mu.Lock()
		keep.at[string(neighbor)] = time.Now().Add(time.Hour)
		keep.mu.Unlock()

		b := start(t, keep, false)
		b.apply("abcd")
		defer b.run()()
		time.Sleep(2 * time.Second)
		b.want("it is dead", "abcd/")
		again := start(t, keep.of(neighbor), false)
		again.apply("ab")
		defer again.run()()
		time.Sleep(3 * time.Second)
		b.want("it runs", "abcd/ab")
		again.want("and sees this one", "ab/abcd")
	})
}

// TestKeeperHangs proves that a disk which hangs keeps no verdict, status or metric
// waiting, a spec or the end of a process no longer than for a moment, and that all is
// kept once the disk goes on.
func TestKeeperHangs(t *testing.T) {
	for name, calls := range map[string]string{"all of it": "Load Save Here Seen", "reading": "Load Seen", "reading tables": "Load", "noting": "Here", "saving": "Save"} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { keeperHangs(t, calls) }) })
	}
}

func keeperHangs(t *testing.T, calls string) {
	t.Helper()
	keep := newMemory()
	other := start(t, keep.of(neighbor), false)
	other.apply("abcd")
	defer other.run()()
	disk := &hanging{memory: keep}
	b := start(t, disk, false)
	b.apply("abcd")
	stop := b.run()
	time.Sleep(5 * time.Second)

	goOn := disk.hang(calls)
	other.apply("Abcd")
	time.Sleep(5 * time.Second)
	began := time.Now()
	b.apply("Abcd")
	b.want("a drains", "bcd/abc")
	if s := b.steer.Status("db"); s == nil || s.Targets != 3 {
		t.Errorf("Status = %+v, want 3 targets", s)
	}
	if n, err := testutil.GatherAndCount(b.metrics); n != 4 || err != nil {
		t.Errorf("%d metrics, %v, want 4", n, err)
	}
	if took := time.Since(began); took != 0 {
		t.Errorf("a spec without a new listener, status and metrics took %v, want that nothing waits", took)
	}
	b.setDown("b")
	time.Sleep(1500 * time.Millisecond) // a probe
	if got := letters(b.steer.Table("db")); !strings.HasPrefix(got, "cd/") {
		t.Errorf("b died: %s, want cd alone", got)
	}
	began = time.Now()
	two := frontend("Abcd")
	two.Listeners[1].TargetGroups = two.Listeners[0].TargetGroups
	b.steer.Apply(two)
	if took := time.Since(began); took > 2*time.Second || b.steer.Table("other") == nil {
		t.Errorf("a new listener took %v, with a table: %v; want one within 2s", took, b.steer.Table("other") != nil)
	}
	goOn()
	time.Sleep(3 * time.Second)
	for _, name := range []string{"l4-generation-db", "l4-generation-other"} {
		now, _, _ := strings.Cut(keep.text(name), "before")
		if now == "" || strings.Contains(now, addr('b').String()) {
			t.Errorf("kept %q as %s, want the generation without b", now, name)
		}
	}

	goOn = disk.hang(calls)
	time.Sleep(5 * time.Second)
	began = time.Now()
	stop()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the end took %v, want no more than 2s", took)
	}
	goOn()
}

// hanging is a memory some calls of which do not return for a time.
type hanging struct {
	*memory
	mu    sync.Mutex
	calls string        // those that hang
	until chan struct{} // closed then
}

// hang has calls hang until the function that it returns is called.
func (h *hanging) hang(calls string) (goOn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	until := make(chan struct{})
	h.calls, h.until = calls, until
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.calls = ""
		close(until)
	}
}

func (h *hanging) wait(call string) {
	h.mu.Lock()
	hangs, until := strings.Contains(h.calls, call), h.until
	h.mu.Unlock()
	if hangs {
		<-until
	}
}

func (h *hanging) Load(of spec.NodeName, name string, has time.Time, into any) (time.Time, error) {
	h.wait("Load")
	return h.memory.Load(of, name, has, into)
}

func (h *hanging) Save(name string, what any) error {
	h.wait("Save")
	return h.memory.Save(name, what)
}

func (h *hanging) Here() error {
	h.wait("Here")
	return h.memory.Here()
}

func (h *hanging) Seen(node spec.NodeName) time.Time {
	h.wait("Seen")
	return h.memory.Seen(node)
}
