package relay_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/l4/relay"
	"portico/spec"
)

// prober is the address of a dns node.
var prober = netip.MustParseAddr("127.0.3.53")

// leavingSpec is tcpSpec at one of two sites: a dns node probes the VIP, a name
// is answered with it, and a node that stops stays for leaveFor.
func leavingSpec(vip, to netip.AddrPort) *spec.Spec {
	want := tcpSpec(vip, to)
	want.Sites = append(want.Sites, spec.Site{Name: "west", Nodes: []spec.Node{
		{Name: "west-dns", Address: prober, Roles: []spec.Role{spec.RoleDNS}},
	}})
	want.VIPs[0].Addresses["west"] = []netip.Addr{netip.MustParseAddr("127.0.4.10")}
	want.VIPs[0].Health.Timing = spec.Timing{Interval: spec.Duration(100 * time.Millisecond), Timeout: spec.Duration(100 * time.Millisecond), Fall: 1}
	want.Zones = []spec.Zone{{Name: "example.com", TTL: spec.Duration(leaveFor - 210*time.Millisecond), Records: []spec.Record{{Name: "db", VIP: "public"}}}}
	return want
}

const leaveFor = 2 * time.Second // long beside the stalls of a busy machine

// events collects what is logged.
type events struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.buf.Write(p)
}

func (e *events) count(text string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Count(e.buf.String(), text)
}

// A relay that stops goes on taking flows until nobody is sent to it any more.
// Probes alone are reset, at once and without counting as failed, and a spec
// changes nothing any more.
func TestLeave(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := leavingSpec(vip, server(t, "127.0.2.1", echo))
	logged := &events{}
	b := start(t, want, func(o *relay.Options) { o.Log = slog.New(slog.NewTextHandler(logged, nil)) })
	probe := func() error {
		c, err := netx.Dialer{Source: prober}.Dial(t.Context(), vip)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(hang))
		if _, err = c.Write([]byte("x")); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		return err
	}
	if err := probe(); err != nil {
		t.Fatalf("before: a probe ends with %v", err)
	}
	stays := dial(t, vip)
	say(t, stays, "hello")
	hear(t, stays, "hello")

	began := time.Now()
	b.stop()
	eventually(t, "it leaves", func() bool { return logged.count("msg=leaving for=2s") == 1 })
	if err := probe(); !netx.IsReset(err) {
		t.Errorf("a probe ends with %v, want a reset", err)
	}
	if err := b.relay.Apply(want); err == nil {
		t.Error("Apply while leaving succeeds, want an error")
	}
	taken, last := 0, time.Time{}
	for {
		at := time.Now()
		c, err := netx.Dialer{}.Dial(t.Context(), vip)
		if err != nil {
			break
		}
		_ = c.SetDeadline(time.Now().Add(hang))
		if _, err = c.Write([]byte("x")); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		_ = c.Close()
		if err != nil {
			break // it was taken by the kernel in the moment the socket closed
		}
		taken, last = taken+1, at
		time.Sleep(5 * time.Millisecond)
	}
	if took := last.Sub(began); taken == 0 || took < leaveFor/2 || time.Since(began) < leaveFor {
		t.Errorf("%d flows were taken until %v, and refused after %v; want some for %v", taken, took, time.Since(began), leaveFor)
	}
	say(t, stays, "still")
	hear(t, stays, "still")
	_ = stays.CloseWrite()
	wantEnd(t, stays)
	<-b.stopped
	if n := b.metric("portico_l4_flows_total", "leaving"); n != 1 {
		t.Errorf("%v flows ended as leaving, want the probe", n)
	}
	if s := b.relay.Status()[0]; s.Failed != 0 {
		t.Errorf("%d flows failed, want none", s.Failed)
	}
	if logged.count("msg=leaving") != 1 || logged.count("msg=draining") != 1 {
		t.Error("leaving and draining are not logged once each")
	}
}

// Leaving and draining share the drain bound, and one that is next to nothing
// ends both at once.
func TestLeaveBounded(t *testing.T) {
	for _, bound := range []time.Duration{1, 200 * time.Millisecond} {
		t.Run(bound.String(), func(t *testing.T) {
			vip := free(t, "127.0.1.10")
			want := leavingSpec(vip, server(t, "127.0.2.1", echo))
			want.Drain = spec.Duration(bound)
			b := start(t, want)
			c := dial(t, vip)
			say(t, c, "hello")
			hear(t, c, "hello")
			began := time.Now()
			b.stop()
			wantReset(t, c)
			<-b.stopped
			if took := time.Since(began); took < bound || took > bound+hang/4 {
				t.Errorf("stopping took %v, want %v", took, bound)
			}
		})
	}
}

// A relay that was drained before it is told to stop does not stay.
func TestLeaveAfterDrain(t *testing.T) {
	vip := free(t, "127.0.1.10")
	want := leavingSpec(vip, server(t, "127.0.2.1", echo))
	want.Zones[0].TTL = spec.Duration(time.Minute)
	b := start(t, want)
	if err := b.relay.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.stop()
	<-b.stopped
	if took := time.Since(began); took > hang/4 {
		t.Errorf("stopping took %v, want it at once", took)
	}
}
