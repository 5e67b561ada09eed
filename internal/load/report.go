package load

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Snapshot is how a run stands. Counts are since its start, but for Rate and
// Latency, which are since the snapshot before.
type Snapshot struct {
	Elapsed  time.Duration
	Underway int64 // requests
	OK       uint64
	Failed   uint64
	Rate     float64 // requests that ended, a second
	Latency  Latency
	// Failures by kind, the most frequent first; empty when there are none.
	Failures []Failure
	// Addresses by address.
	Addresses []Address
}

// Report is what a run found.
type Report struct {
	URL  string `json:"url"`
	Rate int    `json:"rate"` // wanted, requests a second
	// Seconds is how long the run took, the wait for the last requests included.
	Seconds     float64 `json:"seconds"`
	Clients     int     `json:"clients"`
	Connections int     `json:"connections"` // at most, at a time
	Due         uint64  `json:"due"`         // requests on the schedule until the run ended
	OK          uint64  `json:"ok"`
	Failed      uint64  `json:"failed"`
	// Aborted requests were under way when the run was ended early.
	Aborted uint64 `json:"aborted,omitempty"`
	// Retried requests found their kept connection closed and were sent again on
	// a new one. They are also counted by what became of them.
	Retried uint64 `json:"retried"`
	// Opened counts connections that were established.
	Opened uint64 `json:"opened"`
	Bytes  int64  `json:"bytes"` // of bodies
	// Latency is that of the good requests, from when they were due.
	Latency   Latency   `json:"latency"`
	Failures  []Failure `json:"failures,omitempty"` // the most frequent first
	Addresses []Address `json:"addresses,omitempty"`
	Servers   []Server  `json:"servers,omitempty"`
	DNS       DNS       `json:"dns"`
}

// Latency is in milliseconds.
type Latency struct {
	Mean float64 `json:"meanMs"`
	P50  float64 `json:"p50Ms"`
	P90  float64 `json:"p90Ms"`
	P99  float64 `json:"p99Ms"`
	P999 float64 `json:"p999Ms"`
	Max  float64 `json:"maxMs"`
}

// Failure is one kind of failure.
type Failure struct {
	Kind  Kind   `json:"kind"`
	Count uint64 `json:"count"`
	// First and Last are when the first and the last such request was due, in
	// seconds after the start, to the millisecond and never later.
	First float64 `json:"first"`
	Last  float64 `json:"last"`
	// Example is the error of the last one; empty when the answer was whole.
	Example string `json:"example,omitempty"`
}

// Address is one address that the name led to.
type Address struct {
	Address  string `json:"address"`
	Requests uint64 `json:"requests"`
	Failed   uint64 `json:"failed"`
}

// Server is who answered, as the answers say in X-Served-By.
type Server struct {
	Name     string `json:"name"`
	Requests uint64 `json:"requests"`
}

// DNS is what the lookups of all clients came to.
type DNS struct {
	Lookups uint64 `json:"lookups"`
	Failed  uint64 `json:"failed"`
	// Unanswered counts servers that gave no answer in time, after which the next
	// was asked.
	Unanswered uint64 `json:"unanswered"`
}

func (h *histogram) latency() Latency {
	ms := func(d time.Duration) float64 {
		return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
	}
	return Latency{
		Mean: ms(h.mean()), P50: ms(h.quantile(0.5)), P90: ms(h.quantile(0.9)),
		P99: ms(h.quantile(0.99)), P999: ms(h.quantile(0.999)), Max: ms(h.quantile(1)),
	}
}

// snapshot also begins the interval of the next one.
func (s *stats) snapshot(now time.Time) Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Snapshot{
		Elapsed: now.Sub(s.began), Underway: s.underway, OK: s.of(OK), Failed: s.failed(),
		Latency: s.recent.latency(), Failures: s.failures(), Addresses: s.byAddress(),
	}
	done := n.OK + n.Failed
	if d := now.Sub(s.last.at); d > 0 {
		n.Rate = float64(done-s.last.done) / d.Seconds()
	}
	s.last, s.recent = mark{at: now, done: done}, histogram{}
	return n
}

func (s *stats) report(p *plan, now time.Time) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Report{
		URL: p.URL, Rate: p.Rate, Seconds: seconds(now.Sub(s.began)), Clients: p.Clients, Connections: p.Connections,
		Due: s.started + s.of(NotSent), OK: s.of(OK), Failed: s.failed(), Aborted: s.of(Aborted), Retried: s.retried,
		Opened: s.opened, Bytes: s.bytes, Latency: s.latency.latency(),
		Failures: s.failures(), Addresses: s.byAddress(), DNS: s.dns,
	}
	for name, n := range s.servers {
		r.Servers = append(r.Servers, Server{name, n})
	}
	slices.SortFunc(r.Servers, func(a, b Server) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

func (s *stats) of(k Kind) uint64 {
	if f := s.kinds[k]; f != nil {
		return f.Count
	}
	return 0
}

func (s *stats) failed() uint64 {
	var n uint64
	for k, f := range s.kinds {
		if k.bad() {
			n += f.Count
		}
	}
	return n
}

func (s *stats) failures() []Failure {
	var list []Failure
	for k, f := range s.kinds {
		if k.bad() {
			list = append(list, *f)
		}
	}
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind))
	})
	return list
}

func (s *stats) byAddress() []Address {
	var list []Address
	for _, name := range slices.SortedFunc(maps.Keys(s.addresses), compareAddresses) {
		list = append(list, *s.addresses[name])
	}
	return list
}

// compareAddresses orders by number, and what is no address last.
func compareAddresses(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return cmp.Compare(b, a)
	}
	return x.Compare(y)
}
