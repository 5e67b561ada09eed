package config_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"portico/config"
	"portico/spec"
)

var sameSpec = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{}, spec.AddrPort{}),
	cmpopts.EquateEmpty(),
}

// load reads one text, and fails the test when it has an error.
func load(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string,
) *spec.Spec {
	t.Helper()
	s, report := config.Load([]spec.Source{{Name: "<test>", Dir: ".", Text: []byte(text)}}, kinds())
	if report.Fatal() {
		var b bytes.Buffer
		_ = report.Write(&b)
		t.Fatalf("the spec has problems:\n%s\n%s", &b, text)
	}
	return s
}

// A spec is written the way people write one.
func TestMarshal(t *testing.T) {
	name := filepath.Join("testdata", "short.good.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := config.ReadPath(name)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := config.Load(sources, kinds())
	got, err := config.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got = bytes.ReplaceAll(got, []byte(sources[0].Dir+string(filepath.Separator)), nil)
	if diff := cmp.Diff(string(text), string(got)); diff != "" {
		t.Errorf("Marshal (-want +got):\n%s", diff)
	}
}

// Every good file is the same spec after it was written and read again.
func TestMarshalGoodFiles(t *testing.T) {
	for _, name := range good(t) {
		sources, err := config.ReadPath(name)
		if err != nil {
			t.Fatal(err)
		}
		want, report := config.Load(sources, kinds())
		if report.Fatal() {
			continue // said by TestGood
		}
		text, err := config.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, load(t, string(text)), sameSpec); diff != "" {
			t.Errorf("%s (-first +second):\n%s\n%s", name, diff, text)
		}
	}
}

// Marshal never writes a secret.
func TestMarshalKeepsSecrets(t *testing.T) {
	t.Setenv("PORTICO_TEST_KEY", "do not tell")
	s := load(t, "portico: v1\nsecrets:\n  sticky: [{env: PORTICO_TEST_KEY}]\n")
	if string(s.Secrets.Sticky[0].Value) != "do not tell" {
		t.Fatalf("the secret is %q", s.Secrets.Sticky[0].Value)
	}
	text, err := config.Marshal(s)
	if err != nil || strings.Contains(string(text), "tell") || !strings.Contains(string(text), "env: PORTICO_TEST_KEY") {
		t.Errorf("Marshal = %s, %v", text, err)
	}
}

// What no document can hold is an error, and names its place.
func TestMarshalRefuses(t *testing.T) {
	s := &spec.Spec{Portico: "v1", Routes: []spec.Route{{Name: "a", Rules: []spec.Rule{{Sticky: &spec.Sticky{}}}}}}
	if _, err := config.Marshal(s); err == nil || !strings.Contains(err.Error(), "routes[0].rules[0].sticky.cookie") {
		t.Errorf("Marshal = %v", err)
	}
	s = &spec.Spec{Portico: "v1", TargetGroups: []spec.TargetGroup{{Balance: &spec.Choice{Name: "x", Params: make(chan int)}}}}
	if _, err := config.Marshal(s); err == nil || !strings.Contains(err.Error(), "targetGroups[0].balance.x") {
		t.Errorf("Marshal = %v", err)
	}
}

// Whatever a spec holds, it is the same after it was written and read again.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anySpec(t)
		text, err := config.Marshal(want)
		if err != nil {
			t.Fatalf("Marshal: %v", err)
		}
		got := load(t, string(text))
		if diff := cmp.Diff(want, got, sameSpec); diff != "" {
			t.Fatalf("(-written +read):\n%s\n%s", diff, text)
		}
	})
}

// gen draws the parts of a spec.
type gen struct{ *rapid.T }

func (g gen) some(what string, n int) []struct{} {
	return make([]struct{}, rapid.IntRange(0, n).Draw(g.T, "number of "+what))
}

func (g gen) text(what string) string {
	return rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"", "a", "null", "~", "true", "Yes", "off", "1", "1.5", "0x10", "-", "- a", "a: b", "a #b", "#", "*a", "&a", "!a", "@", "`",
			" a ", "a\nb", "\n", "{", "[", "}", ",", "?", "? a", ": ", "|", ">", "%a", "\"", "'", "\\", "\u00e9\u2028\x7f", "\ufeff", "2026-01-01",
		}),
	).Draw(g.T, what)
}

func (g gen) duration(what string) spec.Duration {
	return spec.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(g.T, what))
}

func (g gen) addr(what string) netip.Addr {
	if rapid.Bool().Draw(g.T, "IPv4") {
		return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(g.T, what)))
	}
	a := netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(g.T, what)))
	return a.Unmap()
}

func (g gen) addrPort(what string) netip.AddrPort {
	return netip.AddrPortFrom(g.addr(what), rapid.Uint16Range(1, 65535).Draw(g.T, "port"))
}

func (g gen) timeouts() spec.Timeouts {
	return spec.Timeouts{Connect: g.duration("connect"), Idle: rapid.SampledFrom([]spec.Duration{0, spec.Off, 1, 61e9}).Draw(g.T, "idle")}
}

func (g gen) timing() spec.Timing {
	return spec.Timing{
		Interval: spec.Duration(rapid.Int64Range(int64(100*time.Millisecond), int64(time.Hour)).Draw(g.T, "interval")), Timeout: spec.Duration(2 * time.Second),
		Rise: rapid.IntRange(1, 3).Draw(g.T, "rise"), Fall: 3,
	}
}

func (g gen) refs() []spec.GroupRef {
	var refs []spec.GroupRef
	for i := range g.some("groups", 3) {
		refs = append(refs, spec.GroupRef{Name: spec.TargetGroupName(fmt.Sprint("g", i)), Weight: rapid.IntRange(0, 2).Draw(g.T, "weight")})
	}
	return refs
}

func (g gen) choice(options ...*spec.Choice) *spec.Choice {
	return rapid.SampledFrom(append(options, nil)).Draw(g.T, "choice")
}

func (g gen) textMatch() spec.TextMatch {
	return rapid.SampledFrom([]spec.TextMatch{
		{}, {Exact: g.text("value")}, {Prefix: "p" + g.text("prefix")}, {Regex: "r" + g.text("regex")}, {Present: true}, {Absent: true},
	}).Draw(g.T, "match")
}

func (g gen) rule() spec.Rule {
	r := spec.Rule{TargetGroups: g.refs(), Timeouts: g.timeouts(), Retries: spec.Retries{Attempts: rapid.IntRange(-1, 3).Draw(g.T, "attempts")}}
	for range g.some("matches", 2) {
		m := spec.Match{Headers: map[string]spec.TextMatch{g.text("header"): g.textMatch()}}
		if rapid.Bool().Draw(g.T, "with a path") {
			m.Path = &spec.PathMatch{Prefix: g.text("path") + "/"}
		}
		if rapid.Bool().Draw(g.T, "with more") {
			m.GRPC = &spec.GRPCMatch{Service: g.text("service")}
			m.Query, m.Cookies = map[string]spec.TextMatch{g.text("parameter"): g.textMatch()}, map[string]spec.TextMatch{"c": g.textMatch()}
			m.Sources = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		}
		r.Match = append(r.Match, m)
	}
	if rapid.Bool().Draw(g.T, "sticky") {
		r.Sticky = &spec.Sticky{Cookie: &spec.StickyCookie{Name: rapid.SampledFrom([]string{"PORTICO", "x"}).Draw(g.T, "cookie"), TTL: g.duration("ttl")}}
	}
	if rapid.Bool().Draw(g.T, "filters") {
		r.Filters = []spec.Choice{
			{Name: "requestHeaders", Params: &headers{Remove: []string{g.text("header") + "x"}}},
			{Name: "redirect", Params: &redirect{Code: rapid.SampledFrom([]int{301, 302}).Draw(g.T, "code")}},
		}
	}
	return r
}

func (g gen) group(i int) spec.TargetGroup {
	tg := spec.TargetGroup{
		Name:            spec.TargetGroupName(fmt.Sprint("g", i)),
		Balance:         g.choice(&spec.Choice{Name: "least-conn"}),
		WhenNoneHealthy: rapid.SampledFrom([]spec.WhenNoneHealthy{"open", "fail"}).Draw(g.T, "none healthy"),
		Protocol:        rapid.SampledFrom([]spec.TargetProtocol{"h1", "h2", "auto"}).Draw(g.T, "protocol"),
		ProxyProtocol:   rapid.SampledFrom([]spec.ProxyProtocol{"", "v2"}).Draw(g.T, "proxy protocol"),
		Forward:         rapid.SampledFrom([]spec.Forward{"nat", "gue"}).Draw(g.T, "forward"),
	}
	if c := g.choice(&spec.Choice{Name: "http", Params: &httpCheck{Path: g.text("path")}}, &spec.Choice{Name: "tcp", Params: &tcpCheck{}}); c != nil {
		tg.Health = &spec.Health{Check: *c, Timing: g.timing()}
	}
	for range g.some("targets", 3) {
		tg.Targets = append(tg.Targets, spec.Target{
			Address: spec.AddrPort{AddrPort: g.addrPort("address")}, Name: rapid.SampledFrom([]string{"", "a"}).Draw(g.T, "name"),
			Weight: rapid.IntRange(0, 2).Draw(g.T, "weight"), Drain: rapid.Bool().Draw(g.T, "drain"),
		})
	}
	return tg
}

func (g gen) zone() spec.Zone {
	z := spec.Zone{Name: g.text("zone"), TTL: g.duration("ttl"), SOA: spec.SOA{
		Mail: g.text("mail"), Serial: rapid.Uint32().Draw(g.T, "serial"), Refresh: 1, Retry: 2, Expire: 3, Minimum: g.duration("minimum"),
	}}
	for range g.some("nameservers", 2) {
		z.Nameservers = append(z.Nameservers, spec.Nameserver{Name: g.text("nameserver"), Addresses: []netip.Addr{g.addr("glue")}[rapid.IntRange(0, 1).Draw(g.T, "no glue"):]})
	}
	for range g.some("records", 3) {
		z.Records = append(z.Records, spec.Record{
			Name: g.text("record"), TXT: []string{g.text("txt")}, A: []netip.Addr{g.addr("a")}, WhenNoneHealthy: "open",
			Policy: g.choice(
				&spec.Choice{Name: "simple"},
				&spec.Choice{Name: "weighted", Params: &map[spec.SiteName]int{"east": 1, "west": 2}},
				&spec.Choice{Name: "failover", Params: &[]spec.SiteName{"east", "west"}}),
		})
	}
	return z
}

func anySpec(t *rapid.T) *spec.Spec {
	g := gen{t}
	s := &spec.Spec{
		Portico: "v1", Drain: g.duration("drain"),
		AccessLog: rapid.SampledFrom([]spec.AccessLog{"json", "off"}).Draw(t, "access log"),
	}
	for i := range g.some("sites", 2) {
		s.Sites = append(s.Sites, spec.Site{
			Name: spec.SiteName(fmt.Sprint("s", i)), Location: spec.Location{Latitude: rapid.Float64Range(-90, 90).Draw(t, "latitude")},
			Nodes: []spec.Node{{
				Name: spec.NodeName(fmt.Sprint("n", i)), Address: g.addr("address"), Roles: []spec.Role{"l4", "l7"}, DNS: []netip.AddrPort{g.addrPort("dns")},
				Weight: rapid.IntRange(1, 65535).Draw(t, "weight"), Uplinks: []string{"eth0"}, NAT: []netip.Addr{g.addr("nat")},
			}},
			L4: spec.SiteL4{
				Datapath: rapid.SampledFrom([]spec.Datapath{"relay", "auto"}).Draw(t, "datapath"), Forward: "gue",
				Flows: rapid.IntRange(1024, 64000000).Draw(t, "flows"), NewFlows: 1, SYNs: rapid.IntRange(1, 10000000).Draw(t, "syns"),
			},
		})
	}
	for i := range g.some("vips", 2) {
		s.VIPs = append(s.VIPs, spec.VIP{
			Name: spec.VIPName(fmt.Sprint("v", i)), Addresses: map[spec.SiteName][]netip.Addr{"s0": {g.addr("vip")}},
			Announce: "none", WhenNoneHealthy: "open", Health: spec.VIPHealth{Timing: g.timing()},
		})
	}
	for range g.some("zones", 2) {
		s.Zones = append(s.Zones, g.zone())
	}
	for i := range g.some("listeners", 2) {
		l := spec.Listener{
			Name: spec.ListenerName(fmt.Sprint("l", i)), VIP: "v0", Port: rapid.Uint16Range(1, 65535).Draw(t, "port"), Protocol: "http",
			FlowLog:        rapid.SampledFrom([]spec.FlowLog{"off", "json"}).Draw(t, "flow log"),
			TrustedProxies: []netip.Prefix{netip.PrefixFrom(g.addr("network"), 8)}, Timeouts: g.timeouts(), TargetGroups: g.refs(),
			Limits: spec.Limits{Head: spec.Size(rapid.Int64Range(1<<10, 64<<10).Draw(t, "head")), Headers: 100, Body: spec.Size(rapid.Int64Range(0, 1<<40).Draw(t, "body"))},
		}
		if rapid.Bool().Draw(t, "redirect") {
			l.Redirect = &spec.ListenerRedirect{Scheme: "https", Port: rapid.Uint16().Draw(t, "port"), Code: rapid.SampledFrom([]int{301, 308}).Draw(t, "code")}
		}
		s.Listeners = append(s.Listeners, l)
	}
	for i := range g.some("routes", 2) {
		r := spec.Route{Name: spec.RouteName(fmt.Sprint("r", i)), Hosts: []string{g.text("host")}, Timeouts: g.timeouts()}
		for range g.some("rules", 3) {
			r.Rules = append(r.Rules, g.rule())
		}
		s.Routes = append(s.Routes, r)
	}
	for i := range g.some("target groups", 3) {
		s.TargetGroups = append(s.TargetGroups, g.group(i))
	}
	return s
}
