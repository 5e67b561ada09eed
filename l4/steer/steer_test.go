package steer_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/l4/maglev"
	"portico/l4/steer"
	"portico/spec"
	"portico/spec/status"
	"portico/target"
	"portico/target/health"
)

const (
	self     = spec.NodeName("edge")
	neighbor = spec.NodeName("edge-2")
	drain    = 30 * time.Second
)

// frontend has a listener "db" for the letters' targets, probed every second, and
// one that does not hash. Lower case takes what is new, upper case drains.
func frontend(letters string) *spec.Spec {
	group := spec.TargetGroup{Name: "db", Health: &spec.Health{
		Check:  spec.Choice{Name: "tcp", Params: &health.TCP{}},
		Timing: spec.Timing{Interval: spec.Duration(time.Second), Timeout: spec.Duration(500 * time.Millisecond), Rise: 1, Fall: 1},
	}, Balance: &spec.Choice{Name: "maglev"}}
	for _, l := range []byte(letters) {
		lower := l | 0x20
		group.Targets = append(group.Targets, spec.Target{Address: spec.AddrPort{AddrPort: addr(lower)}, Weight: 1, Drain: l != lower})
	}
	vip := netip.MustParseAddr("198.51.100.10")
	return &spec.Spec{
		Portico: spec.Version, Drain: spec.Duration(drain),
		Sites: []spec.Site{{Name: "east", Nodes: []spec.Node{
			{Name: self, Address: netip.MustParseAddr("10.0.0.1"), Roles: []spec.Role{spec.RoleL4}},
			{Name: neighbor, Address: netip.MustParseAddr("10.0.0.2"), Roles: []spec.Role{spec.RoleL4}},
		}}},
		VIPs: []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {vip}}}},
		Listeners: []spec.Listener{
			{Name: "db", VIP: "public", Port: 5432, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}},
			{Name: "other", VIP: "public", Port: 5433, Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "least", Weight: 1}}},
		},
		TargetGroups: []spec.TargetGroup{group, {Name: "least", Balance: &spec.Choice{Name: "least-conn"}}},
	}
}

func addr(letter byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, letter}), 5432)
}

// bed is a node's targets and tables. Within a synctest bubble it runs both.
type bed struct {
	t       *testing.T
	targets *target.Targets
	steer   *steer.Steer
	metrics *prometheus.Registry

	mu   sync.Mutex
	down string    // letters of targets that do not answer
	up   time.Time // when a answers at the earliest; the next letters each a little later
	told []string

	sockets bool // whether flows are in them
	asked   int  // how often that was
	failed  int  // errors that were logged
}

func start(t *testing.T, keep steer.Keeper, sockets bool) *bed {
	t.Helper()
	b := &bed{t: t, sockets: sockets, metrics: prometheus.NewPedanticRegistry()}
	b.targets = target.New(target.Options{Dial: b.dial, OnChange: func(g *target.Group) { b.steer.Changed(g) }})
	name := self
	if m, ok := keep.(*memory); ok {
		name = m.self
	}
	b.steer = steer.New(steer.Options{
		Self: name, Groups: b.targets, Keep: keep, Metrics: b.metrics,
		Sockets: b.inSockets, Log: slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelError})),
		OnChange: func(name spec.ListenerName, table *maglev.Table) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.told = append(b.told, string(name)+" "+letters(table))
		},
	})
	return b
}

func (b *bed) inSockets() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return b.sockets
}

// counts are how often it was asked where flows are, and errors that were logged.
func (b *bed) counts() (asked, failed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked, b.failed
}

// tables are how many tables there were.
func (b *bed) tables() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.told)
}

// Write takes a line of the log, which is an error.
func (b *bed) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed++
	return len(line), nil
}

// run runs until the test, or the function it returns, ends it.
func (b *bed) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.targets.Run(ctx) })
	wg.Go(func() { _ = b.steer.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// little is less than a group rests between two choices.
const little = 100 * time.Microsecond

func (b *bed) dial(_ context.Context, to netip.AddrPort) (net.Conn, error) {
	letter := to.Addr().As4()[3]
	time.Sleep(time.Until(b.up) + little*time.Duration(letter-'a'))
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.IndexByte(b.down, letter) >= 0 {
		return nil, errors.New("refused")
	}
	c, other := net.Pipe()
	_ = other.Close()
	return c, nil
}

func (b *bed) setDown(letters string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = letters
}

func (b *bed) apply(letters string) {
	b.t.Helper()
	want := frontend(letters)
	if err := b.targets.Apply(want.TargetGroups); err != nil {
		b.t.Fatal(err)
	}
	b.steer.Apply(want)
}

// letters are those of the targets that own slots, then of those that did.
func letters(table *maglev.Table) string {
	if table == nil {
		return "none"
	}
	owners, past := map[byte]bool{}, map[byte]bool{}
	for _, s := range table.Slots {
		if n := table.Name(s.Primary()); n != nil {
			owners[n.Address.Addr().As4()[3]] = true
		}
		if n := table.Name(s.Secondary()); n != nil {
			past[n.Address.Addr().As4()[3]] = true
		}
	}
	list := func(set map[byte]bool) string {
		var all []byte
		for l := range set {
			all = append(all, l)
		}
		slices.Sort(all)
		return string(all)
	}
	return list(owners) + "/" + list(past)
}

func (b *bed) want(what, table string) {
	b.t.Helper()
	if got := letters(b.steer.Table("db")); got != table {
		b.t.Errorf("%s: owners and those before are %s, want %s", what, got, table)
	}
}

// Where flows are in sockets nothing waits; only listeners that hash have a table.
func TestSockets(t *testing.T) {
	b := start(t, nil, true)
	b.apply("abc")
	b.want("at first", "abc/")
	b.apply("abCd")
	b.want("c drains, d comes", "abd/")
	b.apply("ab")
	b.want("both are gone", "ab/")
	if b.steer.Table("other") != nil || b.steer.Status("other") != nil {
		t.Error("a listener that balances by least-conn has a table")
	}
	if s := b.steer.Status("db"); s.Generation != 3 || s.Targets != 2 || s.Waits || s.AtRisk != 0 || s.Moved == 0 {
		t.Errorf("Status = %+v, want generation 3 of 2 targets, slots moved and none at risk", s)
	}
	b.steer.Apply(&spec.Spec{})
	b.want("no listener", "none")
	if got, want := strings.Join(b.told, ", "), "db abc/, db abd/, db ab/, db none"; got != want {
		t.Errorf("told of %s, want %s", got, want)
	}
}

// Where flows are placed packet by packet, what can wait does, and what died
// leaves at once, with what that puts at risk counted.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil, false)
		b.apply("abcd")
		defer b.run()()
		time.Sleep(2 * time.Second)
		b.want("all are healthy", "abcd/")
		b.apply("Abcd")
		b.want("a drains", "bcd/abc")
		b.apply("Abcde")
		time.Sleep(2 * time.Second)
		b.want("e comes, and waits", "bcd/abc")
		if s := b.steer.Status("db"); !s.Waits || s.Until.IsZero() {
			t.Errorf("Status = %+v, want that a change waits", s)
		}
		b.setDown("b")
		time.Sleep(2 * time.Second)
		if got := letters(b.steer.Table("db")); !strings.HasPrefix(got, "cd/") {
			t.Errorf("b died: %s, want cd alone", got)
		}
		if s := b.steer.Status("db"); s.AtRisk == 0 {
			t.Errorf("Status = %+v, want slots at risk", s)
		}
		time.Sleep(drain)
		b.want("the window passed", "cde/cd")
		time.Sleep(drain)
		b.want("nothing waits", "cde/")
		if n, err := testutil.GatherAndCount(b.metrics); n != 4 || err != nil {
			t.Errorf("%d metrics, %v, want 4", n, err)
		}
	})
}

// A node that is started again goes on where it was, keeps those who were good
// before it while nobody knows, and makes the change that waited when it may.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keep := newMemory()
		b := start(t, keep, false)
		b.apply("abcd")
		stop := b.run()
		time.Sleep(2 * time.Second)
		b.apply("Abcd")
		b.apply("Abcde")
		time.Sleep(time.Second)
		stop()

		again := start(t, keep, false)
		again.setDown("c")
		again.apply("Abcde")
		again.want("started again", "bcd/abc")
		if s := again.steer.Status("db"); s.Generation != 2 || !s.Waits {
			t.Errorf("Status = %+v, want generation 2 with a change that waits", s)
		}
		defer again.run()()
		time.Sleep(2 * time.Second)
		if got := letters(again.steer.Table("db")); !strings.HasPrefix(got, "bd/") {
			t.Errorf("c is known to be unhealthy: %s, want bd", got)
		}
		time.Sleep(drain)
		again.want("the window passed", "bde/bd")
	})
}

// A node that starts finds one target after the other healthy, and no table ever lacks
// one of them: not even while a verdict has not come to the group's choice yet.
func TestFirstVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil, false)
		b.up = time.Now().Add(300 * time.Millisecond) // when each was asked
		b.apply("abc")
		defer b.run()()
		for time.Since(b.up) < 10*little {
			b.steer.Changed(nil)
			time.Sleep(little)
		}
		for _, g := range b.targets.Group("db").Status().Targets {
			if g.Verdict != status.Healthy {
				t.Errorf("%s is %v, want healthy", g.Label, g.Verdict)
			}
		}
		if s := b.steer.Status("db"); s.Generation != 1 || s.Waits {
			t.Errorf("Status = %+v, want generation 1 as at first, and no change that waits", s)
		}
	})
}

// What cannot be read or kept is no reason to stop.
func TestKeeperFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, text := range map[string]string{
			"not JSON": "{", "another version": `{"version":9}`,
			"a weight below 0": `{"version":1,"state":{"now":{"number":4,"members":[{"group":"db","address":"10.1.0.97:5432","weight":-1,"share":1}]}}}`,
		} {
			keep := newMemory()
			keep.put(self, "l4-generation-db", text)
			b := start(t, keep, true)
			b.apply("ab")
			b.want(name, "ab/")
			if s := b.steer.Status("db"); s.Generation != 1 {
				t.Errorf("%s: generation %d, want to begin anew", name, s.Generation)
			}
		}
		full := newMemory()
		full.set(errors.New("no space left on device"))
		b := start(t, full, true)
		b.apply("ab")
		defer b.run()()
		time.Sleep(time.Second)
		full.set(nil)
		b.apply("abc")
		b.steer.Changed(nil)
		time.Sleep(time.Second)
		b.want("a full disk", "abc/")
		if !strings.Contains(full.text("l4-generation-db"), addr('c').String()) {
			t.Errorf("kept %q, want the generation with c once there was space", full.text("l4-generation-db"))
		}
	})
}

// memory keeps in memory, for one node of those that share it.
type memory struct {
	*common
	self spec.NodeName
	err  error
}

// common is what nodes share, by their names and those of what they keep.
type common struct {
	mu   sync.Mutex
	kept map[string][]byte
	at   map[string]time.Time
}

func newMemory() *memory {
	return &memory{common: &common{kept: map[string][]byte{}, at: map[string]time.Time{}}, self: self}
}

// of is the same memory for another node.
func (m *memory) of(node spec.NodeName) *memory { return &memory{common: m.common, self: node} }

func (m *memory) Load(of spec.NodeName, name string, has time.Time, into any) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.at[string(of)+" "+name]
	if at.Equal(has) {
		return at, nil
	}
	return at, json.Unmarshal(m.kept[string(of)+" "+name], into)
}

func (m *memory) Save(name string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.put(m.self, name, string(text))
	return nil
}

func (m *memory) put(of spec.NodeName, name, text string) {
	m.kept[string(of)+" "+name], m.at[string(of)+" "+name] = []byte(text), time.Now()
}

func (m *memory) Here() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.at[string(m.self)] = time.Now()
	}
	return m.err
}

func (m *memory) Seen(node spec.NodeName) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[string(node)]
}

func (m *memory) set(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) text(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.kept[string(m.self)+" "+name])
}
