package l7

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"portico/l7/cors"
	"portico/l7/exchange"
	"portico/l7/exchange/outcome"
	"portico/l7/filter"
	"portico/l7/message"
	"portico/l7/pages"
	"portico/l7/tlsx"
	"portico/spec"
	"portico/target"
)

// player plays requests through a handler, without a socket.
type player struct {
	h      *handler
	host   []byte // playHost when nil
	d      exchange.Decision
	req    message.Request
	resp   message.Response
	client message.Client
	query  []byte
	fields []message.Field
	sent   []message.Field
	result outcome.Result
	lag    time.Duration
}

func newPlayer(tb testing.TB, rule spec.Rule, changes ...func(*spec.TargetGroup)) *player {
	tb.Helper()
	dial := func(context.Context, netip.AddrPort) (net.Conn, error) { return nil, net.ErrClosed }
	groups := target.New(target.Options{Dial: dial})
	g := spec.TargetGroup{Name: "g"}
	for _, a := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		g.Targets = append(g.Targets, spec.Target{Address: spec.AddrPort{AddrPort: netip.MustParseAddrPort(a)}, Weight: 1})
	}
	for _, change := range changes {
		change(&g)
	}
	want := &spec.Spec{
		TargetGroups: []spec.TargetGroup{g},
		Routes:       []spec.Route{{Name: "r", Hosts: []string{"shop.test"}, Rules: []spec.Rule{rule}}},
		Listeners:    []spec.Listener{{Name: "https", Protocol: spec.ProtocolHTTPS, Routes: []spec.RouteName{"r"}}},
	}
	if err := groups.Apply(want.TargetGroups); err != nil {
		tb.Fatal(err)
	}
	s := New(Options{Self: "n1", Groups: groups})
	c, err := s.newCompiler(want, &tlsx.Set{}).handler(&want.Listeners[0])
	if err != nil {
		tb.Fatal(err)
	}
	p := &player{
		h:      &handler{listening: c, live: &listener{s: s, name: "https"}},
		client: message.Client{TLS: true, Version: 0x304, Peer: netip.MustParseAddrPort("203.0.113.7:4711")},
		fields: make([]message.Field, 0, 16), sent: make([]message.Field, 0, 16),
		result: outcome.Result{Status: 200, BytesOut: 1024, Start: time.Unix(1_700_000_000, 0), Total: time.Millisecond},
	}
	p.d.Tried = make([]*target.Target, 0, exchange.TargetsMax)
	return p
}

var (
	playMethod, playHost = []byte("GET"), []byte("shop.test")
	playPath             = []byte("/api/items/17")
	playFields           = []message.Field{
		{Name: []byte("User-Agent"), Value: []byte("a client of today")},
		{Name: []byte("Accept"), Value: []byte("*/*")},
	}
)

// play runs one request to its end; fails says how many targets do not take it.
func (p *player) play(fails int) {
	p.begin()
	for range fails {
		if !p.h.Next(&p.req, &p.d, outcome.TargetConnectFailed) {
			break
		}
	}
	p.resp = message.Response{Status: 200, Fields: append(p.sent, playFields[1])}
	if p.d.Target != nil {
		p.h.Response(&p.req, &p.resp, &p.d)
	}
	p.h.End(&p.req, &p.d, &p.result)
}

// begin begins the next request.
func (p *player) begin() {
	answer := p.d.Answer.Fields[:0]
	p.d = exchange.Decision{Client: &p.client, Lag: p.lag, Now: p.result.Start, At: p.result.Start, Draw: p.d.Draw*6364136223846793005 + 1, Begun: true, Scratch: p.d.Scratch[:0], State: p.d.State, Tried: p.d.Tried[:0]}
	p.d.Answer.Fields = answer
	host := playHost
	if p.host != nil {
		host = p.host
	}
	p.req = message.Request{
		Method: playMethod, Authority: host, Host: host, Target: playPath, Path: playPath, Query: p.query,
		Fields: append(p.fields, playFields...), TLS: true, Peer: p.client.Peer, Client: p.client.Peer, Major: 1, Minor: 1,
	}
	p.h.Begin(&p.req, &p.d)
}

var busyRule = spec.Rule{
	Match: []spec.Match{{
		Path:    &spec.PathMatch{Regex: "/api/items/[0-9]+"},
		Headers: map[string]spec.TextMatch{"accept": {Present: true}, "x-debug": {Absent: true}},
		Sources: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
	}},
	TargetGroups: []spec.GroupRef{{Name: "g", Weight: 1}},
	Split:        &spec.HashKey{Cookie: "uid"},
	Filters: []spec.Choice{
		{Name: "requestHeaders", Params: &filter.Headers{Set: map[string]string{"X-Tier": "api", "X-Who": "${client.ip} ${tls.version}"}}},
		{Name: "rewrite", Params: &filter.Rewrite{Path: &filter.Path{Prefix: "/v2"}}},
		{Name: "responseHeaders", Params: &filter.Headers{Set: map[string]string{"X-Served-By": "${target}"}}},
		{Name: "cors", Params: &cors.Params{Origins: []cors.Origin{{Name: "https://*.shop.test"}}}},
		{Name: "securityHeaders", Params: &filter.SecurityHeaders{}},
		{Name: "errorPages", Params: &filter.ErrorPages{Targets: true, Pages: []filter.ErrorPage{{
			Statuses: []pages.Status{{Low: 400, High: 599}}, HTML: &filter.PageBody{Text: "<p>${path}"},
		}}}},
	},
	Sticky: &spec.Sticky{Cookie: &spec.StickyCookie{}},
}

var plainRule = spec.Rule{TargetGroups: []spec.GroupRef{{Name: "g", Weight: 1}}}

// Every Begin of a target has its End, whatever becomes of the request.
func TestLoadsAreGivenBack(t *testing.T) {
	p := newPlayer(t, busyRule)
	for fails := range 5 {
		p.play(fails)
		if fails < 3 != (p.d.Target != nil) {
			t.Errorf("after %d targets failed there is target %v", fails, p.d.Target)
		}
	}
	for _, x := range p.h.rules[0].groups[0].group.Targets() {
		if x.Active() != 0 {
			t.Errorf("target %s still has %d requests", x.Label(), x.Active())
		}
	}
	if got := p.h.live.total.Load(); got != 5 {
		t.Errorf("Total = %d", got)
	}
}

// Retries never go to a target twice.
func TestRetriesSpread(t *testing.T) {
	p := newPlayer(t, plainRule)
	p.play(2)
	seen := map[netip.AddrPort]bool{p.d.Address: true}
	for _, x := range p.d.Tried {
		seen[x.Address()] = true
	}
	if len(seen) != 3 {
		t.Errorf("three tries went to %v", seen)
	}
}

func BenchmarkHandler(b *testing.B) {
	for name, rule := range map[string]spec.Rule{"plain": plainRule, "busy": busyRule} {
		b.Run(name, func(b *testing.B) {
			p := newPlayer(b, rule)
			b.ReportAllocs()
			for b.Loop() {
				p.play(0)
			}
		})
	}
}

// TestShedLate proves that a loop which is late turns requests of its own away, the
// less important first, and none when it is not.
func TestShedLate(t *testing.T) {
	for _, tt := range []struct {
		priority spec.Priority
		lag      time.Duration
		shed     bool
	}{
		{spec.PriorityLow, 60 * time.Millisecond, false},
		{spec.PriorityLow, 80 * time.Millisecond, true},
		{spec.PriorityHigh, 80 * time.Millisecond, false},
		{spec.PriorityHigh, 100 * time.Millisecond, true},
	} {
		rule := busyRule
		rule.Priority = tt.priority
		p := newPlayer(t, rule)
		p.h.spec.Shedding = &spec.Shedding{Requests: 1000, Lag: spec.Duration(100 * time.Millisecond), Normal: 90, Low: 70}
		p.lag = tt.lag
		p.begin()
		if shed := p.d.Fixed != nil && p.d.Fixed.Why == outcome.Overloaded; shed != tt.shed {
			t.Errorf("%s at %v: turned away %v, want %v", tt.priority, tt.lag, shed, tt.shed)
		}
		p.h.End(&p.req, &p.d, &p.result)
	}
}
