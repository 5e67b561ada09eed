//go:build linux

package main

import (
	"strings"
	"testing"
)

// What wrk prints is read, with every kind of failure counted, and answers without
// their bodies are not taken for answers.
func TestReadWrk(t *testing.T) {
	const head = `Running 3s test @ http://127.0.0.1:18001/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.11ms    1.02ms  20.51ms   88.05%
    Req/Sec    30.51k     2.10k   34.00k    70.00%
`
	const good = head + "  91234 requests in 3.00s, 112.05MB read\n"
	const rate = "Requests/sec:  30401.12\nTransfer/sec:     37.34MB\n"
	for _, c := range []struct {
		name, in string
		want     loaded
	}{
		{"good", good + rate, loaded{units: 91234, rate: 30401.12}},
		{"failures", good + "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n" + rate, loaded{units: 91234, rate: 30401.12, errors: 15}},
		{"failures are short", head + "  91234 requests in 3.00s, 1.05MB read\n  Non-2xx or 3xx responses: 91234\n" + rate, loaded{units: 91234, rate: 30401.12, errors: 91234}},
		{"long run", head + "  91234 requests in 1.00m, 1.10GB read\n" + rate, loaded{units: 91234, rate: 30401.12}},
	} {
		got, err := readWrk([]byte(c.in), 1024)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", "unable to connect to 127.0.0.1:18001 Connection refused\n",
		head + "  0 requests in 3.00s, 0.00B read\n" + rate,
		head + "  91234 requests in 3.00s, 80.05MB read\n" + rate,
	} {
		if got, err := readWrk([]byte(in), 1024); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
}

// What h2load prints is read; what is not a 200 is a failure, counted once.
func TestReadH2load(t *testing.T) {
	of := func(requests, statuses, data string) string {
		return "starting benchmark...\nspawning thread #0: 16 total client(s). Timing-based test with 0s of warm-up time and 2s of main duration for measurements.\n\n" +
			"finished in 2.00s, 33333.50 req/s, 34.95MB/s\nrequests: " + requests + "\nstatus codes: " + statuses +
			"\ntraffic: 69.90MB (73295360) total, 325.52KB (333334) headers (space savings 95.00%), " + data + " data\n" +
			"                     min         max         mean         sd        +/- sd\n"
	}
	for _, c := range []struct {
		name, in string
		want     loaded
	}{
		{
			"good", of("66667 total, 66923 started, 66667 done, 66667 succeeded, 0 failed, 0 errored, 0 timeout", "66680 2xx, 0 3xx, 0 4xx, 0 5xx", "65.11MB (68268032)"),
			loaded{units: 66667, rate: 33333.5},
		},
		{
			"failures", of("66667 total, 66667 started, 66667 done, 66655 succeeded, 12 failed, 12 errored, 0 timeout", "66655 2xx, 1 3xx, 2 4xx, 3 5xx", "65.10MB (68268020)"),
			loaded{units: 66667, rate: 33333.5, errors: 18},
		},
	} {
		got, err := readH2load([]byte(c.in), 1024)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", "Could not resolve address\n",
		of("0 total, 0 started, 0 done, 0 succeeded, 0 failed, 0 errored, 0 timeout", "0 2xx, 0 3xx, 0 4xx, 0 5xx", "0B (0)"),
		of("66667 total, 66923 started, 66667 done, 66667 succeeded, 0 failed, 0 errored, 0 timeout", "66680 2xx, 0 3xx, 0 4xx, 0 5xx", "6.51MB (6826803)"),
	} {
		if got, err := readH2load([]byte(in), 1024); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
}

// One handshake that failed spoils the measurement, and says why.
func TestReadShaken(t *testing.T) {
	got, err := readShaken([]byte(`{"Connections":3000,"Errors":0,"Seconds":2}`))
	if want := (loaded{units: 3000, rate: 1500}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, in := range []string{"", `{"Connections":0,"Seconds":2}`, `{"Connections":3000,"Errors":1,"Seconds":2,"First":"a session was resumed"}`} {
		got, err := readShaken([]byte(in))
		if err == nil {
			t.Errorf("%q was read as %+v", in, got)
		} else if strings.Contains(in, "resumed") && !strings.Contains(err.Error(), "a session was resumed") {
			t.Errorf("%q: %v does not say why", in, err)
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
	if got := per(-1, 10); got != -1 {
		t.Errorf("what was not counted is %v for each unit, want -1", got)
	}
}

// What the target counts shows requests that did not reach it, and connections to
// it that were not kept.
func TestTally(t *testing.T) {
	before, err := readTally("accepted 10 answered 100\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := readTally("accepted 74 answered 50100\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := after.since(before), (tallied{64, 50000}); got != want {
		t.Errorf("%+v in between, want %+v", got, want)
	}
	for _, c := range []struct {
		name     string
		counted  tallied
		requests int64
		good     bool
	}{
		{"kept", tallied{64, 50000}, 50000, true},
		{"health checks beside", tallied{70, 50007}, 50000, true},
		{"answered elsewhere", tallied{64, 49999}, 50000, false},
		{"a connection each", tallied{50000, 50000}, 50000, false},
	} {
		if err := c.counted.serves(c.requests); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if got, err := readTally("HTTP/1.1 400 Bad Request\n"); err == nil {
		t.Errorf("nonsense was read as %+v", got)
	}
}
