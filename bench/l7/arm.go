//go:build linux

package main

import (
	"context"
	"slices"
	"strings"
)

// arm is one kind of work that entrants are compared on.
type arm struct {
	name     string // for -arms
	title    string
	unit     string // of the figure that is compared
	entrants []entrant
	// rounds bounds those of what takes long and hardly varies; 0 means no bound.
	rounds int
	// ask is what proxies are asked for.
	ask ask
	// load asks them, over connections, and over HTTP/2 with streams on each.
	load                 loader
	connections, streams int
	// measure turns all this into a figure.
	measure func(ctx context.Context, b *bench, a *arm, r *running) (sample, error)
	// line is how the line begins that is remembered, and ratios what follows; an
	// arm without a line is in the tables alone.
	line   string
	ratios []ratio
	// bound finds out, at the end, what the figure cannot go below; nil for nothing.
	bound func(ctx context.Context, b *bench, a *arm) (string, error)
}

// entrant is a contestant as it takes part in one arm: a row of its table.
type entrant struct {
	row     string // unique in the arm
	program string // one of programs
	file    string // its configuration in this folder, or what is made of one
	address string // where it listens
}

// ratio is one figure of the line: that of a row, divided by that of another or,
// where there is none, as it is.
type ratio struct{ label, of, over string }

// peers are the ratios of most lines.
var peers = []ratio{{"haproxy", "portico", "haproxy"}, {"nginx", "portico", "nginx"}}

// Those who take part, by the protocol they are asked in. Ports are below those
// that the kernel gives out.
var (
	direct       = entrant{"direct", "direct", "", "127.0.0.1:19001"}
	nginx        = entrant{"nginx", "nginx", "nginx.conf", "127.0.0.1:18001"}
	haproxy      = entrant{"haproxy", "haproxy", "haproxy.cfg", "127.0.0.1:18002"}
	portico      = entrant{"portico", "portico", "portico.yaml", "127.0.0.1:18003"}
	nginxTLS     = entrant{"nginx", "nginx", "nginx.conf", "127.0.0.1:18011"}
	haproxyTLS   = entrant{"haproxy", "haproxy", "haproxy.cfg", "127.0.0.1:18012"}
	porticoTLS   = entrant{"portico", "portico", "portico.yaml", "127.0.0.1:18013"}
	nginxH2      = entrant{"nginx", "nginx", "nginx.conf", "127.0.0.1:18021"}
	haproxyH2    = entrant{"haproxy", "haproxy", "haproxy.cfg", "127.0.0.1:18022"}
	porticoH2    = entrant{"portico", "portico", "portico.yaml", "127.0.0.1:18003"}
	haproxyKeeps = entrant{"haproxy", "haproxy", "haproxy.cfg", "127.0.0.1:18032"}
	porticoKeeps = entrant{"portico", "portico", "portico.yaml", "127.0.0.1:18033"}
	porticoFew   = entrant{"ten", "portico", fewRoutes, "127.0.0.1:18043"}
	porticoMany  = entrant{"10000", "portico", manyRoutes, "127.0.0.1:18043"}
)

// The direct run is beside what the target speaks itself; TLS and HTTP/2 it does not.
var (
	plain  = []entrant{direct, nginx, haproxy, portico}
	secure = []entrant{nginxTLS, haproxyTLS, porticoTLS}
)

// idleConnections are what one proxy holds in the arm of that name.
const idleConnections = 10_000

// arms are all of them, in the order of their lines.
var arms = []*arm{
	{
		name: "h1-c64", title: "HTTP/1.1 kept alive, 1 KiB, 64 connections", unit: "µs/req", entrants: plain,
		ask: ask{path: "/1k", size: 1 << 10}, load: wrk, connections: 64, measure: underLoad,
		line: "l7 h1 1KiB c64: cpu/req", ratios: peers,
	},
	{
		name: "sticky", title: "h1-c64 with a session cookie that every request brings", unit: "µs/req",
		entrants: []entrant{haproxyKeeps, porticoKeeps}, rounds: 3,
		ask: ask{path: "/1k", size: 1 << 10, cookie: true}, load: wrk, connections: 64, measure: underLoad,
	},
	{
		name: "h1-c512", title: "HTTP/1.1 kept alive, 1 KiB, 512 connections", unit: "µs/req", entrants: plain,
		ask: ask{path: "/1k", size: 1 << 10}, load: wrk, connections: 512, measure: underLoad,
		line: "l7 h1 1KiB c512: cpu/req", ratios: peers,
	},
	{
		name: "h1-64k", title: "HTTP/1.1 kept alive, 64 KiB, 64 connections; nginx with large buffers", unit: "µs/req", entrants: plain,
		ask: ask{path: "/64k", size: 1 << 16}, load: wrk, connections: 64, measure: underLoad,
		line: "l7 h1 64KiB c64: cpu/req", ratios: peers,
	},
	{
		name: "tls13", title: "HTTP/1.1 over TLS 1.3 kept alive, AES-128-GCM, 1 KiB, 64 connections", unit: "µs/req", entrants: secure,
		ask: ask{protocol: overTLS, path: "/1k", size: 1 << 10}, load: wrk, connections: 64, measure: underLoad,
		line: "l7 tls13 1KiB c64: cpu/req", ratios: peers,
	},
	{
		name: "handshakes", title: "TLS 1.3 handshakes: X25519, ECDSA P-256, none resumed, 64 at once", unit: "µs/conn", entrants: secure,
		ask: ask{protocol: overTLS, path: "/1k", size: 1 << 10}, load: handshakes, connections: 64, measure: underLoad,
		line: "l7 tls13 handshakes: cpu/conn", ratios: peers, bound: boundOfHandshakes,
	},
	{
		name: "h2", title: "HTTP/2 in clear text to HTTP/1.1 targets, 1 KiB, 16 connections of 16 streams", unit: "µs/req",
		entrants: []entrant{nginxH2, haproxyH2, porticoH2},
		ask:      ask{protocol: http2, path: "/1k", size: 1 << 10}, load: h2load, connections: 16, streams: 16, measure: underLoad,
		line: "l7 h2 1KiB m16: cpu/req", ratios: peers,
	},
	{
		name: "routes", title: "h1-c64 with ten routes and with 10,000, all of them asked for", unit: "µs/req",
		entrants: []entrant{porticoFew, porticoMany},
		ask:      ask{path: "/1k", size: 1 << 10, host: "h0.example.com"}, load: wrk, connections: 64, measure: underLoad,
		line: "l7 10000 routes: cpu/req", ratios: []ratio{{"ten-routes", porticoMany.row, porticoFew.row}},
	},
	{
		name: "idle-conns", title: "10,000 connections that are kept alive after one request", unit: "RSS B/conn",
		entrants: []entrant{nginx, haproxy, portico}, rounds: 3,
		ask: ask{path: "/1k", size: 1 << 10}, load: wrk, connections: idleConnections, measure: held,
		line: "l7 10000 idle conns: rss/conn", ratios: peers,
	},
	{
		name: "idle", title: "nothing but health checks, after a load", unit: "CPU ms/s",
		entrants: []entrant{portico}, rounds: 3,
		ask: ask{path: "/1k", size: 1 << 10}, load: wrk, connections: 64, measure: atRest,
		line: "l7 idle: cpu-ms/s", ratios: []ratio{{"portico", portico.row, ""}},
	},
}

// rate reports whether the figure is of what proxies do as fast as they can.
func (a *arm) rate() bool { return strings.HasPrefix(a.unit, "µs/") }

// armNames lists the arms as -arms names them.
func armNames() []string {
	var names []string
	for _, a := range arms {
		names = append(names, a.name)
	}
	return names
}

// selected returns the arms to measure and, in each, only those who are wanted.
func selected(o options) []*arm {
	var list []*arm
	for _, a := range arms {
		if len(o.arms) > 0 && !slices.Contains(o.arms, a.name) {
			continue
		}
		some := *a
		some.entrants = nil
		for _, e := range a.entrants {
			if len(o.only) == 0 || slices.Contains(o.only, e.program) {
				some.entrants = append(some.entrants, e)
			}
		}
		if len(some.entrants) > 0 {
			list = append(list, &some)
		}
	}
	return list
}
