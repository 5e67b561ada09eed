package target_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"portico/spec"
	"portico/spec/status"
	"portico/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is where the targets of a test are: each accepts, refuses or hangs.
type network struct {
	mu    sync.Mutex
	how   map[netip.AddrPort]string // "refuse" or "hang"; absent accepts
	dials map[netip.AddrPort][]time.Time
	busy  int // dials under way
	most  int
}

func newNetwork() *network {
	return &network{how: map[netip.AddrPort]string{}, dials: map[netip.AddrPort][]time.Time{}}
}

func (n *network) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	n.mu.Lock()
	how := n.how[to]
	n.dials[to] = append(n.dials[to], time.Now())
	n.busy++
	n.most = max(n.most, n.busy)
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.busy--
		n.mu.Unlock()
	}()
	switch how {
	case "refuse":
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	near, far := net.Pipe()
	_ = far.Close()
	return near, nil
}

func (n *network) set(how string, hosts ...int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range hosts {
		n.how[addr(h)] = how
	}
}

func (n *network) probed(host int) []time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]time.Time{}, n.dials[addr(host)]...)
}

// addr is the address of a target by number.
func addr(host int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(host >> 8), byte(host)}), 80)
}

// web is the group most tests use: targets t1 to tn, checked by tcp every second.
func web(n int, changes ...func(*spec.TargetGroup)) spec.TargetGroup {
	g := spec.TargetGroup{Name: "web", Health: tcpCheck()}
	for i := 1; i <= n; i++ {
		g.Targets = append(g.Targets, one(i))
	}
	for _, change := range changes {
		change(&g)
	}
	return g
}

func one(host int) spec.Target {
	return spec.Target{Address: spec.AddrPort{AddrPort: addr(host)}, Name: fmt.Sprintf("t%d", host), Weight: 1}
}

func tcpCheck() *spec.Health {
	return &spec.Health{
		Check:  spec.Choice{Name: "tcp"},
		Timing: spec.Timing{Interval: spec.Duration(time.Second), Timeout: spec.Duration(500 * time.Millisecond), Rise: 2, Fall: 3},
	}
}

func unchecked(g *spec.TargetGroup) { g.Health = nil }

func failClosed(g *spec.TargetGroup) { g.WhenNoneHealthy = spec.FailClosed }

func balanced(name string) func(*spec.TargetGroup) {
	return func(g *spec.TargetGroup) { g.Balance = &spec.Choice{Name: name} }
}

func weight(host, w int) func(*spec.TargetGroup) {
	return func(g *spec.TargetGroup) { g.Targets[host-1].Weight = w }
}

func drain(host int) func(*spec.TargetGroup) {
	return func(g *spec.TargetGroup) { g.Targets[host-1].Drain = true }
}

func apply(t *testing.T, ts *target.Targets, groups ...spec.TargetGroup) {
	t.Helper()
	if err := ts.Apply(groups); err != nil {
		t.Fatal(err)
	}
}

// running returns targets whose probes run until the test, in a bubble of fake
// time, ends.
func running(t *testing.T, o target.Options) *target.Targets {
	t.Helper()
	ts := target.New(o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- ts.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return ts
}

// pass lets fake time pass and everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func find(t *testing.T, ts *target.Targets, host int) *target.Target {
	t.Helper()
	for _, m := range ts.Group("web").Targets() {
		if m.Address() == addr(host) {
			return m
		}
	}
	t.Fatalf("no target %v", addr(host))
	return nil
}

func wantVerdict(t *testing.T, m *target.Target, want status.Verdict, reason string) {
	t.Helper()
	if v, why := m.Verdict(); v != want || why != reason {
		t.Errorf("%s is %v because %q, want %v because %q", m.Label(), v, why, want, reason)
	}
}
