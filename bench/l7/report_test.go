//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// of makes results of figures.
func of(figures ...float64) *result {
	r := &result{}
	for _, f := range figures {
		r.samples = append(r.samples, sample{Figure: f, Busy: 1, InsnUser: -1, InsnKernel: -1})
	}
	return r
}

// named returns the arm of a name.
func named(t *testing.T, name string) *arm {
	t.Helper()
	for _, a := range arms {
		if a.name == name {
			return a
		}
	}
	t.Fatalf("there is no arm %q", name)
	return nil
}

// A line divides Portico by each peer, by medians, and only where all is well.
func TestLine(t *testing.T) {
	for _, c := range []struct {
		name, arm string
		results   map[string]*result
		want      string
	}{
		{"all", "h1-c64", map[string]*result{"portico": of(90, 20, 10), "haproxy": of(16, 17, 15), "nginx": of(30, 50)}, "l7 h1 1KiB c64: cpu/req haproxy=1.25 nginx=0.50"},
		{"no haproxy", "h1-c512", map[string]*result{"portico": of(20), "nginx": of(40)}, "l7 h1 1KiB c512: cpu/req haproxy=n/a nginx=0.50"},
		{"no portico", "h1-64k", map[string]*result{"haproxy": of(20), "nginx": of(40)}, "l7 h1 64KiB c64: cpu/req haproxy=n/a nginx=n/a"},
		{"failures", "tls13", map[string]*result{"portico": of(20), "haproxy": {samples: of(1).samples, reason: "1 requests FAILED"}, "nginx": of(40)}, "l7 tls13 1KiB c64: cpu/req haproxy=n/a nginx=0.50"},
		{"it did not run", "h2", map[string]*result{"portico": {reason: "no HTTP/2"}, "haproxy": of(10), "nginx": of(40)}, "l7 h2 1KiB m16: cpu/req haproxy=n/a nginx=n/a"},
		{"handshakes", "handshakes", map[string]*result{"portico": of(300), "haproxy": of(200), "nginx": of(150)}, "l7 tls13 handshakes: cpu/conn haproxy=1.50 nginx=2.00"},
		{"routes", "routes", map[string]*result{"ten": of(20), "10000": of(21)}, "l7 10000 routes: cpu/req ten-routes=1.05"},
		{"idle connections", "idle-conns", map[string]*result{"portico": of(900), "haproxy": of(1000), "nginx": of(600)}, "l7 10000 idle conns: rss/conn haproxy=0.90 nginx=1.50"},
		{"a peer grew by nothing", "idle-conns", map[string]*result{"portico": of(900), "haproxy": of(0), "nginx": of(600)}, "l7 10000 idle conns: rss/conn haproxy=n/a nginx=1.50"},
		{"at rest", "idle", map[string]*result{"portico": of(0.5, 0.7, 9)}, "l7 idle: cpu-ms/s portico=0.70"},
	} {
		b := &bench{results: map[string]map[string]*result{c.arm: c.results}}
		if got := b.line(named(t, c.arm)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// filled is a bench in which all was measured but one.
func filled() *bench {
	b := &bench{
		options: options{rounds: 3, length: 2 * time.Second}, arms: arms,
		results: map[string]map[string]*result{}, bounds: map[string]string{"handshakes": strings.Repeat("what bounds it ", 20)},
		contestants: map[string]*contestant{"portico": {version: "portico v1"}},
	}
	for _, a := range arms {
		b.results[a.name] = map[string]*result{}
		for _, e := range a.entrants {
			r := &result{}
			for i := range 3 {
				r.samples = append(r.samples, sample{
					Figure: 1234.5 + float64(i), User: 1000, System: 234.5, InsnUser: 123456, InsnKernel: 234567,
					Rate: 123456, Busy: 0.5, Units: 1 << 20, Memory: 1 << 30,
				})
			}
			b.results[a.name][e.row] = r
		}
	}
	b.results["h2"]["portico"] = &result{reason: "it does not answer as it should: " + strings.Repeat("because ", 30)}
	return b
}

// Whatever is measured fits the width of a page, and who is missing is named with
// the reason.
func TestTableFits(t *testing.T) {
	b := filled()
	var out bytes.Buffer
	for _, a := range b.arms {
		b.table(&out, a)
	}
	b.lines(&out)
	for line := range strings.SplitSeq(out.String(), "\n") {
		if n := utf8.RuneCountInString(line); n > columns {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	for _, want := range []string{"portico: n/a: it does not answer", "used 50 % of its core", "what bounds it", "\nl7 h1 1KiB c64: cpu/req haproxy=1.00 nginx=1.00\n", "\nl7 idle: cpu-ms/s portico=1236\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// What is written as JSON holds every sample, the lines and the reasons.
func TestWriteJSON(t *testing.T) {
	var out bytes.Buffer
	if err := filled().writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got runJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Arms) != len(arms) || got.Versions["portico"] != "portico v1" || got.Rounds != 3 {
		t.Fatalf("%+v", got)
	}
	first := got.Arms[0]
	if len(first.Rows) != 4 || len(first.Rows[0].Samples) != 3 || *first.Rows[0].Median != 1235.5 || first.Line != "l7 h1 1KiB c64: cpu/req haproxy=1.00 nginx=1.00" {
		t.Errorf("%+v", first)
	}
	for _, a := range got.Arms {
		for _, r := range a.Rows {
			if (r.Median == nil) != (r.Reason != "") || r.Samples == nil {
				t.Errorf("%s: %+v", a.Name, r)
			}
		}
	}
}

// A run in which Portico failed requests is an error; a peer's failures are not.
func TestFailure(t *testing.T) {
	b := filled()
	b.results["h1-c64"]["nginx"].samples[0].Errors = 3
	if err := b.failure(); err != nil {
		t.Error(err)
	}
	b.results["sticky"]["portico"].samples[1].Errors = 2
	if err := b.failure(); err == nil || !strings.Contains(err.Error(), "2 requests") {
		t.Errorf("%v", err)
	}
}

// The median is the middle, and the spread holds all.
func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in                      []float64
		median, lowest, highest float64
	}{
		{nil, 0, 0, 0},
		{[]float64{3}, 3, 3, 3},
		{[]float64{9, 1}, 5, 1, 9},
		{[]float64{9, 1, 2}, 2, 1, 9},
		{[]float64{-5, -1}, -3, -5, -1},
	} {
		s := of(c.in...).samples
		if got := figure(s); got != c.median {
			t.Errorf("median of %v = %v, want %v", c.in, got, c.median)
		}
		if lowest, highest := spread(s); lowest != c.lowest || highest != c.highest {
			t.Errorf("spread of %v = %v, %v", c.in, lowest, highest)
		}
	}
}
