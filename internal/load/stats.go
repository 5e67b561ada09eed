package load

import (
	"net/netip"
	"sync"
	"time"
)

// outcome is what became of one request.
type outcome struct {
	due, at time.Time // when it should have started; when it ended
	kind    Kind
	err     error // nil unless it failed before its answer was whole
	address netip.Addr
	status  int
	server  string // who answered, where the answer says so
	bytes   int64  // of the body
	retried bool
}

// failed completes the outcome of a request that got no whole answer.
func (o outcome) failed(k Kind, err error) outcome {
	o.kind, o.err = k, err
	return o
}

// The bounds of what is told apart in a report; the rest counts under one name.
const (
	addressesMax = 64
	serversMax   = 256
	restName     = "(others)"
)

// stats counts. Its methods may be called by several goroutines.
type stats struct {
	began time.Time

	mu        sync.Mutex // guards what follows
	underway  int64
	started   uint64
	kinds     map[Kind]*Failure // OK too
	retried   uint64
	latency   histogram // of the good
	recent    histogram // of the good since the last snapshot
	addresses map[string]*Address
	servers   map[string]uint64
	bytes     int64
	opened    uint64
	dns       DNS
	last      mark // of the last snapshot
}

// mark is where counts were at a moment.
type mark struct {
	at   time.Time
	done uint64
}

func newStats(began time.Time) *stats {
	return &stats{
		began:     began,
		kinds:     map[Kind]*Failure{},
		addresses: map[string]*Address{},
		servers:   map[string]uint64{},
		last:      mark{at: began},
	}
}

// start counts a request that is sent; add counts its end.
func (s *stats) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway++
	s.started++
}

func (s *stats) add(o outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.kind != NotSent {
		s.underway--
	}
	s.count(o)
	if o.retried {
		s.retried++
	}
	s.bytes += o.bytes
	if o.address.IsValid() {
		a := s.address(o.address.String())
		a.Requests++
		if o.kind.bad() {
			a.Failed++
		}
	}
	if o.server != "" {
		if _, ok := s.servers[o.server]; !ok && len(s.servers) >= serversMax {
			o.server = restName
		}
		s.servers[o.server]++
	}
	if o.kind == OK {
		s.latency.record(o.at.Sub(o.due))
		s.recent.record(o.at.Sub(o.due))
	}
}

// count adds to the kind of an outcome.
func (s *stats) count(o outcome) {
	f, due := s.kinds[o.kind], exactly(o.due.Sub(s.began))
	if f == nil {
		f = &Failure{Kind: o.kind, First: due}
		s.kinds[o.kind] = f
	}
	f.Count++
	f.First, f.Last = min(f.First, due), max(f.Last, due)
	if o.err != nil {
		f.Example = o.err.Error()
	}
}

func (s *stats) address(name string) *Address {
	if a := s.addresses[name]; a != nil {
		return a
	}
	if len(s.addresses) >= addressesMax {
		name = restName
	}
	if s.addresses[name] == nil {
		s.addresses[name] = &Address{Address: name}
	}
	return s.addresses[name]
}

// connected counts a connection that was opened.
func (s *stats) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
}

// resolved counts a lookup.
func (s *stats) resolved(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dns.Lookups++
	if err != nil {
		s.dns.Failed++
	}
}

// serverFailed counts a DNS server that did not answer.
func (s *stats) serverFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dns.Unanswered++
}

// bad reports whether a kind counts as a failure.
func (k Kind) bad() bool { return k != OK && k != Aborted }

// exactly is a moment to the millisecond, and never later than it was: a report is
// compared with when something else happened.
func exactly(d time.Duration) float64 {
	return float64(d.Truncate(time.Millisecond)) / float64(time.Second)
}

// seconds rounds to a tenth, as precise as a report is read.
func seconds(d time.Duration) float64 {
	return float64(d.Round(100*time.Millisecond)) / float64(time.Second)
}
