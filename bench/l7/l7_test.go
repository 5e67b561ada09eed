//go:build linux

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What wrk prints is read, with every kind of failure counted.
func TestReadLoaded(t *testing.T) {
	const good = `Running 3s test @ http://127.0.0.1:18001/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.11ms    1.02ms  20.51ms   88.05%
    Req/Sec    30.51k     2.10k   34.00k    70.00%
  91234 requests in 3.00s, 112.05MB read
`
	const rate = "Requests/sec:  30401.12\nTransfer/sec:     37.34MB\n"
	for _, c := range []struct {
		name, in string
		want     loaded
	}{
		{"good", good + rate, loaded{requests: 91234, rate: 30401.12}},
		{"failures", good + "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n" + rate, loaded{requests: 91234, rate: 30401.12, errors: 15}},
	} {
		got, err := readLoaded([]byte(c.in))
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, in := range []string{"", "unable to connect to 127.0.0.1:18001 Connection refused\n", "  0 requests in 3.00s, 0B read\n" + rate} {
		if got, err := readLoaded([]byte(in)); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
}

// What perf prints is read, and what it could not count is not taken for zero.
func TestReadCounts(t *testing.T) {
	for _, c := range []struct {
		name, in     string
		user, kernel float64
	}{
		{"counted", "123,,instructions:u,1,100.00,,\n456,,instructions:k,1,100.00,,\n", 123, 456},
		{"not supported", "<not supported>,,instructions:u,0,100.00,,\n<not supported>,,instructions:k,0,100.00,,\n", -1, -1},
		{"user alone", "123,,instructions:u,1,100.00,,\n<not counted>,,instructions:k,0,0.00,,\n", 123, -1},
		{"refused", "Error:\nAccess to performance monitoring and observability operations is limited.\n", -1, -1},
	} {
		if user, kernel := readCounts(c.in); user != c.user || kernel != c.kernel {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, user, kernel, c.user, c.kernel)
		}
	}
}

// The CPU time of a process grows with its work, and a gone process is an error.
func TestUsed(t *testing.T) {
	self := []int{os.Getpid()}
	before, err := used(self)
	if err != nil {
		t.Skipf("no scheduler statistics here: %v", err)
	}
	for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
		_ = strings.Repeat("x", 1000)
	}
	after, err := used(self)
	if err != nil || after.cpu <= before.cpu {
		t.Errorf("%v, then %v, %v", before.cpu, after.cpu, err)
	}
	if memory(self) < 1<<20 {
		t.Errorf("%d bytes resident", memory(self))
	}
	if _, err := used([]int{1 << 30}); err == nil {
		t.Error("a process that is not there has been measured")
	}
}

// The last line divides Portico by each peer, by medians, and only where all is well.
func TestRatios(t *testing.T) {
	of := func(cpus ...float64) (s []sample) {
		for _, c := range cpus {
			s = append(s, sample{cpu: c})
		}
		return s
	}
	b := &bench{options: options{connections: 64}}
	for _, c := range []struct {
		name    string
		results map[string][]sample
		want    string
	}{
		{"all", map[string][]sample{"portico": of(90, 20, 10), "haproxy": of(16, 17, 15), "nginx": of(30, 50)}, "l7 h1 1KiB c64: cpu/req haproxy=1.25 nginx=0.50"},
		{"no haproxy", map[string][]sample{"portico": of(20), "nginx": of(40)}, "l7 h1 1KiB c64: cpu/req haproxy=n/a nginx=0.50"},
		{"no portico", map[string][]sample{"haproxy": of(20), "nginx": of(40)}, "l7 h1 1KiB c64: cpu/req haproxy=n/a nginx=n/a"},
		{"failures", map[string][]sample{"portico": of(20), "haproxy": {{cpu: 1, errors: 1}}, "nginx": of(40)}, "l7 h1 1KiB c64: cpu/req haproxy=n/a nginx=0.50"},
	} {
		b.results = c.results
		if got := b.ratios(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Everyone listens where the bench looks, on a port that the kernel gives to nobody
// else, and sends to the same two targets.
func TestFilesAgree(t *testing.T) {
	t.Chdir("../..")
	port := regexp.MustCompile(`127\.0\.0\.1:(19\d+)`)
	for _, c := range contestants("bin/portico", t.TempDir()) {
		if len(c.command) == 0 {
			continue
		}
		file := map[string]string{"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "portico": "portico.yaml"}[c.name]
		b, err := os.ReadFile(folder + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if p := strings.TrimPrefix(c.address, "127.0.0.1:"); !strings.Contains(text, p) || len(p) != 5 || p >= "32768" {
			t.Errorf("%s: %s does not listen on %s, or that is a port of the kernel's", c.name, file, c.address)
		}
		targets := port.FindAllString(text, -1)
		if strings.Join(targets, " ") != "127.0.0.1:19001 127.0.0.1:19002" {
			t.Errorf("%s: targets %q", file, targets)
		}
	}
}

// A flag out of range is refused before anything is started.
func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-rounds", "101"}, {"-for", "10ms"}, {"-for", "2m"}, {"-connections", "0"}, {"-connections", "5000"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if o, err := parse(nil); err != nil || o.rounds != 5 || o.length != 3*time.Second || o.connections != 64 {
		t.Errorf("%+v, %v", o, err)
	}
}
