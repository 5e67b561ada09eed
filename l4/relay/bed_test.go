package relay_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"portico/internal/netx"
	"portico/l4"
	"portico/l4/relay"
	"portico/spec"
	"portico/target"
)

const (
	hang = 10 * time.Second // the bound against hanging
	self = spec.NodeName("east-l4")
)

func TestMain(m *testing.M) {
	if child := os.Getenv(fillEnv); child != "" {
		fillFiles()
		return
	}
	before := openFiles()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if after := openFiles(); code == 0 && after > before+filesSlack {
			println("files leaked:", before, "open before the tests,", after, "after")
			code = 1
		}
		os.Exit(code)
	}))
}

// filesSlack is what the runtime and package os may hold for themselves.
const filesSlack = 4

// openFiles counts the process's files; 0 where that cannot be told.
func openFiles() int {
	if runtime.GOOS != "linux" {
		return 0
	}
	links, _ := filepath.Glob("/proc/self/fd/*")
	return len(links)
}

// bed is a relay that serves a spec, with live target groups behind it.
type bed struct {
	tb      testing.TB
	want    *spec.Spec
	targets *target.Targets
	relay   *relay.Relay
	metrics *prometheus.Registry
	stop    context.CancelFunc
	stopped chan struct{}
}

// start runs a relay until the test ends.
func start(tb testing.TB, want *spec.Spec, change ...func(*relay.Options)) *bed {
	tb.Helper()
	b := &bed{
		tb:      tb,
		targets: target.New(target.Options{}),
		metrics: prometheus.NewPedanticRegistry(),
		stopped: make(chan struct{}),
	}
	o := relay.Options{Self: self, Groups: b.targets, Metrics: b.metrics}
	for _, c := range change {
		c(&o)
	}
	b.relay = relay.New(o)
	b.apply(want)
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	go func() {
		defer close(b.stopped)
		if err := b.relay.Run(ctx); err != nil {
			tb.Errorf("Run = %v", err)
		}
	}()
	tb.Cleanup(func() {
		stop()
		select {
		case <-b.stopped:
		case <-time.After(hang):
			tb.Error("the relay did not stop")
		}
	})
	return b
}

// apply makes want live, as a node does: the implied groups of l7 nodes are
// filled in, and flows are balanced by maglev.
func (b *bed) apply(want *spec.Spec) {
	b.tb.Helper()
	if ps := spec.Problems(b.relay.Check(want)); ps.Fatal() {
		b.tb.Fatal(ps)
	}
	if err := b.targets.Apply(groupsOf(want)); err != nil {
		b.tb.Fatal(err)
	}
	if err := b.relay.Apply(want); err != nil {
		b.tb.Fatal(err)
	}
	b.want = want
}

// judge has the targets judged by outcomes until the test ends.
func (b *bed) judge() {
	ctx, cancel := context.WithCancel(context.Background())
	judged := make(chan error)
	go func() { judged <- b.targets.Run(ctx) }()
	b.tb.Cleanup(func() {
		cancel()
		if err := <-judged; err != nil {
			b.tb.Errorf("Run = %v", err)
		}
	})
}

func groupsOf(want *spec.Spec) []spec.TargetGroup {
	var all []spec.TargetGroup
	for _, g := range want.TargetGroups {
		if g.Balance == nil {
			g.Balance = &spec.Choice{Name: "maglev"}
		}
		all = append(all, g)
	}
	_, site := want.Node(self)
	seen := map[uint16]bool{}
	for _, l := range want.Listeners {
		if !l.Protocol.IsHTTP() || seen[l.Port] {
			continue
		}
		seen[l.Port] = true
		g := spec.TargetGroup{Name: spec.L7Group(l.Port), Balance: &spec.Choice{Name: "maglev"}}
		for _, n := range site.With(spec.RoleL7) {
			g.Targets = append(g.Targets, spec.Target{Name: string(n.Name), Address: spec.AddrPort{AddrPort: netip.AddrPortFrom(n.Address, l.Port)}, Weight: 1})
		}
		all = append(all, g)
	}
	return all
}

// tcpSpec has one tcp listener "db" on a VIP, with the targets as group "db".
func tcpSpec(vip netip.AddrPort, targets ...netip.AddrPort) *spec.Spec {
	return &spec.Spec{
		Portico: spec.Version,
		Sites: []spec.Site{{Name: "east", Nodes: []spec.Node{
			{Name: self, Address: netip.MustParseAddr("127.0.0.1"), Roles: []spec.Role{spec.RoleL4}},
		}}},
		VIPs:      []spec.VIP{{Name: "public", Addresses: map[spec.SiteName][]netip.Addr{"east": {vip.Addr()}}}},
		Listeners: []spec.Listener{{Name: "db", VIP: "public", Port: vip.Port(), Protocol: spec.ProtocolTCP, TargetGroups: []spec.GroupRef{{Name: "db", Weight: 1}}}},
		TargetGroups: []spec.TargetGroup{{
			Name: "db", Targets: targetsOf(targets...),
		}},
		Drain: spec.Duration(hang),
	}
}

func targetsOf(addrs ...netip.AddrPort) []spec.Target {
	var all []spec.Target
	for _, a := range addrs {
		all = append(all, spec.Target{Address: spec.AddrPort{AddrPort: a}, Weight: 1})
	}
	return all
}

// given is the last port that free gave; the first is drawn, so that two runs of these
// tests on one machine do not meet.
var given = struct {
	sync.Mutex
	port int
}{port: portsFrom + rand.IntN(portsTo-portsFrom)}

// The ports that free gives are below those of connections that name none, of which none
// can take one before the test does.
const portsFrom, portsTo = 10_000, 30_000

// free returns an address that nothing listens on, each time with another port.
func free(tb testing.TB, ip string) netip.AddrPort {
	tb.Helper()
	given.Lock()
	defer given.Unlock()
	for range 1000 {
		if given.port++; given.port >= portsTo {
			given.port = portsFrom
		}
		at := netip.AddrPortFrom(netip.MustParseAddr(ip), uint16(given.port))
		if l, err := netx.Listen(context.Background(), at); err == nil {
			_ = l.Close()
			return at
		}
	}
	tb.Fatalf("no port of %s is free", ip)
	return netip.AddrPort{}
}

// server serves every connection it accepts with do, until the test ends.
func server(tb testing.TB, ip string, do func(*net.TCPConn)) netip.AddrPort {
	tb.Helper()
	l, err := netx.Listen(context.Background(), netip.AddrPortFrom(netip.MustParseAddr(ip), 0))
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[*net.TCPConn]bool{}
	closed := false
	wg.Go(func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			mu.Lock()
			if closed {
				_ = c.Close()
			}
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer func() {
					_ = c.Close()
					mu.Lock()
					delete(open, c)
					mu.Unlock()
				}()
				do(c)
			})
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		closed = true
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// echo sends back what it gets and ends when the client does. It hides the types
// of its ends: package net would keep pipes of its own.
func echo(c *net.TCPConn) {
	_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
	_ = c.CloseWrite()
}

// named says its name and then echoes.
func named(name string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		_, _ = io.WriteString(c, name)
		echo(c)
	}
}

// silent takes everything and says nothing until the client ends.
func silent(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }

func dial(tb testing.TB, to netip.AddrPort) *net.TCPConn {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	c, err := netx.Dialer{}.Dial(ctx, to)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(hang))
	return c.(*net.TCPConn)
}

func say(tb testing.TB, c net.Conn, text string) {
	tb.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		tb.Fatal(err)
	}
}

func hear(tb testing.TB, c net.Conn, want string) {
	tb.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		tb.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

// wantReset reads until the connection fails, and says what came before.
func wantReset(tb testing.TB, c net.Conn) (before int64) {
	tb.Helper()
	before, err := io.Copy(io.Discard, struct{ io.Reader }{c})
	if !netx.IsReset(err) {
		tb.Errorf("after %d bytes the connection ends with %v, want a reset", before, err)
	}
	return before
}

// refused connects and is reset at once, perhaps before it knows it is connected.
func refused(tb testing.TB, to netip.AddrPort) {
	tb.Helper()
	c, err := netx.Dialer{}.Dial(context.Background(), to)
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(hang))
		_, err = c.Read(make([]byte, 1))
		_ = c.Close()
	}
	if !netx.IsReset(err) {
		tb.Errorf("the flow ends with %v, want a reset", err)
	}
}

func wantEnd(tb testing.TB, c net.Conn) {
	tb.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		tb.Errorf("read %d, %v, want an end", n, err)
	}
}

// eventually polls until ok holds.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(hang); !ok(); {
		if time.Now().After(deadline) {
			tb.Fatalf("not in %v: %s", hang, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// metric is the sum of a metric over what has these label values.
func (b *bed) metric(name string, values ...string) float64 {
	b.tb.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		b.tb.Fatal(err)
	}
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			matches := 0
			for _, l := range m.GetLabel() {
				for _, v := range values {
					if l.GetValue() == v {
						matches++
					}
				}
			}
			if matches == len(values) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// ends waits until one flow more ended, for this reason, and none is open.
func (b *bed) ends(why relay.Reason) {
	b.tb.Helper()
	eventually(b.tb, "one flow ends for "+why.String()+" and none is open", func() bool {
		return b.metric("portico_l4_flows_total", why.String()) == 1 && b.metric("portico_l4_flows_active") == 0
	})
	if all := b.metric("portico_l4_flows_total"); all != 1 {
		b.tb.Errorf("%v flows ended, want 1", all)
	}
}

// dialer counts what is dialed, and may do something else instead.
type dialer struct {
	netx.Dialer
	dials   atomic.Int64
	connect func(to netip.AddrPort) (netip.AddrPort, error) // nil means as asked
}

func (d *dialer) Connect(to netip.AddrPort, o netx.Options) (int, error) {
	d.dials.Add(1)
	if d.connect != nil {
		var err error
		if to, err = d.connect(to); err != nil {
			return -1, err
		}
	}
	return d.Dialer.Connect(to, o)
}

// by makes a relay dial with d.
func (d *dialer) by(o *relay.Options) { o.Dialer = d }

// deaf returns an address at which the kernel answers no more clients: as many wait
// there as may. The function lets them in.
func deaf(tb testing.TB, ip string) (netip.AddrPort, func() *net.TCPListener) {
	tb.Helper()
	list, err := netx.ListenMany(context.Background(), netip.AddrPortFrom(netip.MustParseAddr(ip), 0), 1, netx.Options{Backlog: 1})
	if err != nil {
		tb.Fatal(err)
	}
	l := list[0]
	tb.Cleanup(func() { _ = l.Close() })
	at := netx.AddrPort(l.Addr())
	for range 4 {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		c, err := netx.Dialer{}.Dial(ctx, at)
		cancel()
		if err != nil {
			return at, func() *net.TCPListener {
				for range 2 {
					c, err := l.AcceptTCP()
					if err != nil {
						tb.Fatal(err)
					}
					_ = c.Close()
				}
				return l
			}
		}
		tb.Cleanup(func() { _ = c.Close() })
	}
	tb.Fatal("the kernel lets in more clients than may wait")
	return at, nil
}

var _ l4.Groups = (*target.Targets)(nil)
