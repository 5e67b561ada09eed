package load_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"portico/internal/load"
)

func report() load.Report {
	return load.Report{
		URL: "https://myapp.example.com:8443/", Rate: 200, Seconds: 20, Clients: 254, Connections: 200,
		Due: 4000, OK: 3989, Failed: 11, Retried: 3, Opened: 254, Bytes: 91747,
		Latency: load.Latency{Mean: 2.31, P50: 1.92, P90: 3.4, P99: 11.87, P999: 208.4, Max: 1003.2},
		Failures: []load.Failure{
			{Kind: load.Reset, Count: 9, First: 8.1, Last: 8.3, Example: "read tcp 127.0.3.7:40000->127.0.1.10:8443: read: connection\nreset by peer"},
			{Kind: load.Status5xx, Count: 2, First: 8.2, Last: 9.1},
		},
		Addresses: []load.Address{{Address: "127.0.1.10", Requests: 1900, Failed: 11}, {Address: "127.0.2.10", Requests: 2100}},
		Servers:   []load.Server{{Name: "shop-1", Requests: 1989}, {Name: "shop-2", Requests: 2000}},
		DNS:       load.DNS{Lookups: 1270, Unanswered: 12},
	}
}

// TestWrite proves what people read.
func TestWrite(t *testing.T) {
	const want = `https://myapp.example.com:8443/
4000 requests in 20.0 s, 200/s wanted
254 clients opened 254 connections

latency        mean       p50       p90       p99     p99.9       max
            2.31 ms   1.92 ms   3.40 ms   11.9 ms    208 ms    1.00 s

ok             3989  99.72 %
failed           11   0.28 %
  reset           9, due from 8.1 s to 8.3 s
    read tcp 127.0.3.7:40000->127.0.1.10:8443: read: connection.reset by peer
  status-5xx      2, due from 8.2 s to 9.1 s
retried           3   a kept connection was closed; sent again on a new one

address
  127.0.1.10                                   1900  47.50 %        11 failed
  127.0.2.10                                   2100  52.50 %

server
  shop-1                                       1989  49.73 %
  shop-2                                       2000  50.00 %

dns            1270 lookups, 0 failed; 12 times a server was mute
`
	var b strings.Builder
	if err := report().Write(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// TestWriteFits proves that no report is wider than 80 columns, whatever is in it.
func TestWriteFits(t *testing.T) {
	r := report()
	const huge = 123_456_789
	r.URL += strings.Repeat("x", 100)
	r.OK, r.Failed, r.Retried, r.Aborted, r.Rate, r.Seconds = huge, huge, huge, huge, 20000, 86400
	r.Opened, r.DNS = huge, load.DNS{Lookups: huge, Failed: huge, Unanswered: huge}
	r.Failures = []load.Failure{{Kind: load.ConnectRefused, Count: huge, First: 86399.9, Last: 86399.9, Example: strings.Repeat("é", 200)}}
	r.Addresses = []load.Address{{Address: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Requests: huge, Failed: huge}}
	r.Servers = nil
	for range 30 {
		r.Servers = append(r.Servers, load.Server{Name: strings.Repeat("s", 100), Requests: huge})
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(b.String(), "and 10 more") {
		t.Errorf("30 servers: want the first 20 and how many more\n%s", b.String())
	}
	if err := (load.Report{}).Write(&b); err != nil || strings.Contains(b.String(), "NaN") {
		t.Errorf("an empty report: %v\n%s", err, b.String())
	}
}

// TestJSON proves that a report survives being read back by a program.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(report())
	if err != nil {
		t.Fatal(err)
	}
	var back load.Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report(), back); diff != "" {
		t.Errorf("report (-sent +read):\n%s", diff)
	}
	for _, key := range []string{`"ok":3989`, `"failed":11`, `"p99Ms":11.87`, `"kind":"reset"`, `"retried":3`} {
		if !strings.Contains(string(text), key) {
			t.Errorf("no %s in %s", key, text)
		}
	}
}
