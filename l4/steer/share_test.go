package steer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portico/internal/agree"
	"portico/l4/maglev"
	"portico/l4/steer"
	"portico/spec"
)

// within is how soon nodes agree again.
const within = steer.Term + 2*steer.PollEvery

// folder is what nodes share: each by a link of its own, which can be cut.
type folder struct {
	t     *testing.T
	dir   string
	start time.Time

	mu   sync.Mutex
	last maglev.State // that was written
	ever bool         // a node was cut off: nodes may come back with generations of their own
	down func(spec.NodeName, maglev.Name) bool
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir(), start: time.Now()}
	if err := os.Mkdir(filepath.Join(f.dir, "all"), 0o700); err != nil {
		t.Fatal(err)
	}
	return f
}

// store is how a node sees the folder.
func (f *folder) store(self spec.NodeName) *store {
	f.t.Helper()
	s := &store{folder: f, self: self, link: filepath.Join(f.dir, string(self))}
	s.Files = agree.NewFilesBy(s.link, func() time.Duration { return time.Since(f.start) + time.Hour })
	s.cut(false)
	return s
}

// store is agree.Files of one node, which can be cut off and freezes with its node.
type store struct {
	*agree.Files
	folder *folder
	self   spec.NodeName
	link   string
	isCut  bool

	mu     sync.Mutex
	frozen chan struct{} // closed when it thaws; nil while it is not frozen
}

func (s *store) cut(cut bool) {
	s.folder.t.Helper()
	next := s.link + ".next"
	var err error
	if cut {
		err = os.WriteFile(next, nil, 0o600) // no folder can be made here
	} else {
		err = os.Symlink(filepath.Join(s.folder.dir, "all"), next)
	}
	if err == nil {
		err = os.Rename(next, s.link) // at once, or the node makes a folder meanwhile
	}
	if err != nil {
		s.folder.t.Fatal(err)
	}
	s.isCut = cut
	s.folder.mu.Lock()
	defer s.folder.mu.Unlock()
	s.folder.ever = s.folder.ever || cut
}

func (s *store) freeze(frozen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if frozen && s.frozen == nil {
		s.frozen = make(chan struct{})
	} else if !frozen && s.frozen != nil {
		close(s.frozen)
		s.frozen = nil
	}
}

func (s *store) wait() {
	s.mu.Lock()
	frozen := s.frozen
	s.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// Acquire is of steer.Store.
func (s *store) Acquire(ctx context.Context, name string, self spec.NodeName, term time.Duration) (agree.Lease, error) {
	s.wait()
	return s.Files.Acquire(ctx, name, self, term)
}

// Read is of steer.Store.
func (s *store) Read(name string, has uint64) ([]byte, uint64, error) {
	s.wait()
	return s.Files.Read(name, has)
}

// Swap is of steer.Store.
func (s *store) Swap(ctx context.Context, name string, has uint64, value []byte) (uint64, error) {
	s.wait()
	var v struct {
		State maglev.State `json:"state"`
	}
	if err := json.Unmarshal(value, &v); err != nil {
		s.folder.t.Error(err)
	}
	s.folder.mu.Lock()
	defer s.folder.mu.Unlock()
	revision, err := s.Files.Swap(ctx, name, has, value)
	if err == nil {
		s.folder.judge(s.self, v.State)
	}
	return revision, err
}

// judge looks at what a node wrote: numbers grow, and within a window nobody comes or
// leaves but who died there. Nodes that were cut off may bring what they came to.
func (f *folder) judge(by spec.NodeName, next maglev.State) {
	f.t.Helper()
	last := f.last
	f.last = next
	switch step := next.Now.Number - last.Now.Number; {
	case step == 0:
		return
	case next.Now.Number < last.Now.Number:
		f.t.Errorf("%s wrote generation %d over %d", by, next.Now.Number, last.Now.Number)
	case step != 1 && !f.ever:
		f.t.Errorf("%s wrote generation %d over %d, and nobody was cut off", by, next.Now.Number, last.Now.Number)
	}
	if f.ever || f.down == nil || last.Until.IsZero() || !time.Now().Before(last.Until) {
		return
	}
	names := func(members []maglev.Member) map[maglev.Name]bool {
		set := map[maglev.Name]bool{}
		for _, m := range members {
			set[m.Name] = true
		}
		return set
	}
	was, is := names(last.Now.Members), names(next.Now.Members)
	for n := range is {
		if !was[n] {
			f.t.Errorf("%s let %s come within the window until %v", by, n.Address, last.Until)
		}
	}
	for n := range was {
		if !is[n] && !f.down(by, n) {
			f.t.Errorf("%s let %s go, which is not dead there, within the window until %v", by, n.Address, last.Until)
		}
	}
}

// site is nodes that share a folder.
type site struct {
	t     *testing.T
	f     *folder
	nodes []*member
}

// member is one of its nodes; bed is nil while it is dead.
type member struct {
	*bed
	name  spec.NodeName
	store *store
	stop  func()

	down   string
	number uint64 // of the generation it had last
	ice    bool
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, f: newFolder(t)}
	for _, name := range []spec.NodeName{self, "edge-2", "edge-3"} {
		s.nodes = append(s.nodes, &member{name: name, store: s.f.store(name)})
	}
	return s
}

// start starts a node with the spec for letters.
func (m *member) start(t *testing.T, letters string) {
	t.Helper()
	m.bed = startNode(t, m.name, m.store, false)
	m.setDown(m.down)
	m.apply(letters)
	m.stop = m.run()
}

// die ends a node; with warning it lets another decide.
func (m *member) die(warned bool) {
	if m.bed == nil {
		return
	}
	m.store.freeze(false)
	if !warned {
		m.store.cut(true)
	}
	m.stop()
	m.store.cut(false)
	m.bed, m.number, m.ice = nil, 0, false
}

func (s *site) end() {
	for _, m := range s.nodes {
		m.die(true)
	}
}

// agree fails where nodes that can, have not one table.
func (s *site) agree(what string) {
	s.t.Helper()
	var first *maglev.Table
	for _, m := range s.nodes {
		if m.bed == nil || m.ice || m.store.isCut {
			continue
		}
		is := m.steer.Table("db")
		if first == nil {
			first = is
		}
		if first.Generation != is.Generation || !reflect.DeepEqual(first.Names, is.Names) || !reflect.DeepEqual(first.Slots, is.Slots) {
			s.t.Fatalf("%s: %s has generation %d, %s, another %d, %s", what, m.name, is.Generation, letters(is), first.Generation, letters(first))
		}
	}
}

// grow fails where a node's generation has a lower number than before.
func (s *site) grow(what string) {
	s.t.Helper()
	for _, m := range s.nodes {
		if m.bed == nil || m.ice {
			continue
		}
		if n := m.steer.Table("db").Generation; n < m.number {
			s.t.Errorf("%s: %s has generation %d after %d", what, m.name, n, m.number)
		} else {
			m.number = n
		}
	}
}

// Nodes that disagree about the health of targets have one table: that of the node that
// decides, and when it falls silent or leaves, soon that of another. All say who it is.
func TestOneTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.end()
		a, b := s.nodes[0], s.nodes[1]
		b.down = "b"
		a.start(t, "abc")
		b.start(t, "abc")
		time.Sleep(within)
		for _, m := range s.nodes[:2] {
			m.want("b is unhealthy for one that does not decide", "abc/")
			if got := m.steer.Status("db"); got.Decides != self || got.Differs != (m == b) || got.Alone != "" {
				t.Errorf("%s: Status = %+v, want that %s decides, and edge-2 differs", m.name, got, self)
			}
		}
		a.store.freeze(true)
		a.ice = true
		time.Sleep(within)
		b.want("who decided is frozen", "ac/abc")
		a.store.freeze(false)
		a.ice = false
		time.Sleep(steer.PollEvery * 2)
		a.want("it thawed", "ac/abc")
		if got := a.steer.Status("db"); got.Decides != "edge-2" || !got.Waits || got.AtRisk != 0 {
			t.Errorf("Status = %+v, want that edge-2 decides, a change that waits, and none at risk", got)
		}
		c := s.nodes[2]
		c.start(t, "abcd")
		c.want("a node that starts within the window", "ac/abc")
		time.Sleep(drain + within)
		s.agree("the window passed")
		b.die(true)
		time.Sleep(steer.PollEvery * 3)
		if got := letters(a.steer.Table("db")); !strings.HasPrefix(got, "abc") {
			t.Errorf("edge-2 left: %s, want b again", got)
		}
		s.agree("edge-2 left")
	})
}

// A node that cannot use the store goes on, decides for itself once nobody would have
// for as long, and says so; the higher generation wins when it is back.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.end()
		a, b := s.nodes[0], s.nodes[1]
		a.start(t, "abc")
		b.start(t, "abc")
		time.Sleep(time.Second)
		b.store.cut(true)
		b.setDown("c")
		time.Sleep(time.Second + steer.Term/2)
		b.want("cut off", "abc/")
		time.Sleep(steer.Term)
		b.want("cut off for long", "ab/bc")
		if got := b.steer.Status("db"); got.Alone == "" || got.Decides != b.name {
			t.Errorf("Status = %+v, want that it decides for itself, and why", got)
		}
		c := s.nodes[2]
		c.store.cut(true)
		c.start(t, "abc")
		c.want("a new node that is cut off", "abc/")
		a.want("who was not cut off", "abc/")
		b.store.cut(false)
		c.store.cut(false)
		time.Sleep(within)
		s.agree("all are back")
		if got := a.steer.Status("db"); got.Generation < 2 || got.Alone != "" {
			t.Errorf("Status = %+v, want what came of the generation that was made alone", got)
		}
		if err := os.RemoveAll(filepath.Join(s.f.dir, "all")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(s.f.dir, "all"), 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(within)
		s.grow("the folder is lost")
		s.agree("the folder is lost")
	})
}

// What is broken in the store is written anew from what a node has.
func TestBrokenValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, text := range map[string]string{
			"not JSON":         "{",
			"a weight below 0": `{"state":{"now":{"number":4,"members":[{"group":"db","address":"10.1.0.97:5432","weight":-1,"share":1}]}}}`,
		} {
			f := newFolder(t)
			store := f.store(self)
			if _, err := store.Files.Swap(t.Context(), "l4-generation-1-db@east", 0, []byte(text)); err != nil {
				t.Fatal(err)
			}
			b := start(t, store, false)
			b.apply("ab")
			b.want(name, "ab/")
			if f.last.Now.Number != 1 {
				t.Errorf("%s: generation %d was written, want 1", name, f.last.Now.Number)
			}
		}
	})
}

// Whatever happens to nodes that know different things, those that can have one table
// soon after; numbers never go back, and within a window only the dead leave.
func TestAgreement(t *testing.T) {
	for _, cuts := range []bool{false, true} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("cuts=%v/%d", cuts, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { live(t, rand.New(rand.NewPCG(seed, 7)), cuts) })
			})
		}
	}
}

func live(t *testing.T, r *rand.Rand, cuts bool) {
	t.Helper()
	s := newSite(t)
	defer s.end()
	var mu sync.Mutex
	dead := map[spec.NodeName]string{} // what was so of late, as verdicts lag
	s.f.down = func(by spec.NodeName, n maglev.Name) bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.IndexByte(dead[by], n.Address.Addr().As4()[3]) >= 0
	}
	for round := range 60 {
		m := s.nodes[r.IntN(len(s.nodes))]
		what := fmt.Sprintf("round %d, %s", round, m.name)
		switch do := r.IntN(10); {
		case m.bed == nil:
			m.start(t, "abcdef")
			what += " starts"
		case do < 5:
			before := m.down
			m.down = ""
			for _, l := range "bcdef" { // a answers everybody
				if r.IntN(4) == 0 {
					m.down += string(l)
				}
			}
			mu.Lock()
			dead[m.name] = before + m.down
			mu.Unlock()
			m.setDown(m.down)
			what += " knows that are dead: " + m.down
		case do < 6:
			m.die(r.IntN(2) == 0)
			what += " dies"
		case do < 8:
			m.ice = !m.ice
			m.store.freeze(m.ice)
			what += fmt.Sprint(" is frozen: ", m.ice)
		case cuts && !m.ice:
			m.store.cut(!m.store.isCut)
			what += fmt.Sprint(" is cut off: ", m.store.isCut)
		}
		time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
		s.grow(what)
		if round%4 == 3 { // nothing happens for a while
			time.Sleep(within + time.Second) // the last of it is for checks
			s.agree(what)
			s.grow(what)
		}
	}
}
