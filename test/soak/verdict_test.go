package soak

import (
	"fmt"
	"strconv"

	"portico/internal/testkit"
)

// counts proves that what Portico counted, what it logged and what its clients
// saw agree.
func (s *soak) counts(f figures) {
	s.t.Helper()
	if n := f.sum("portico_l7_access_log_dropped_total"); n != 0 {
		s.t.Errorf("%v lines of the access log were dropped", n)
	}
	for name, seen := range s.tallies {
		if name == "passing" { // its metrics went with it
			s.complaints(name, seen)
			continue
		}
		label := "listener=" + strconv.Quote(name)
		ended := int64(f.sum("portico_l7_requests_total", label))
		if n := int64(f.sum("portico_l7_requests_ended_total", label)); n != ended {
			s.t.Errorf("%s: %d requests by status, %d by reason", name, ended, n)
		}
		if n := int64(f.sum("portico_l7_request_duration_seconds_count", label)); n != ended {
			s.t.Errorf("%s: %d requests by status, %d by duration", name, ended, n)
		}
		testkit.Poll(s.t, hang, func() error {
			if n := s.log.count(name); n != ended {
				return fmt.Errorf("%s: %d lines of the access log, %d requests", name, n, ended)
			}
			return nil
		})
		s.views(name, f, seen, ended)
	}
	if len(s.log.bad) > 0 {
		s.t.Errorf("lines of the access log that are no JSON: %q", s.log.bad)
	}
}

// views compares the clients' counts of a listener with Portico's: on a calm one
// they are the same, on a rough one the clients may have left before the end.
func (s *soak) views(name string, f figures, seen *tally, ended int64) {
	s.t.Helper()
	calm := name == "calm" || name == "calm-tls"
	var whole int64
	for class := range seen.answered {
		n := seen.answered[class].Load()
		whole += n
		code := strconv.Quote(strconv.Itoa(class) + "xx")
		counted := int64(f.sum("portico_l7_requests_total", "listener="+strconv.Quote(name), "code="+code))
		if n > counted {
			s.t.Errorf("%s: clients had %d whole answers of %s, Portico counted %d", name, n, code, counted)
		}
	}
	tried, cut := seen.tried.Load(), seen.cut.Load()
	s.t.Logf("%s: %d requests tried, %d answered, %d cut off; Portico counted %d; %d specs seen", name, tried, whole, cut, ended, len(seen.generations))
	switch {
	case calm && (tried != ended || whole+cut != tried):
		s.t.Errorf("%s: clients made %d requests, of which %d were answered and %d cut off; Portico counted %d", name, tried, whole, cut, ended)
	case ended > tried:
		s.t.Errorf("%s: Portico counted %d requests, clients tried %d", name, ended, tried)
	case whole == 0:
		s.t.Errorf("%s: nothing was answered", name)
	}
	if calm && len(seen.generations) < 2 {
		s.t.Errorf("%s: all requests were served by one spec", name)
	}
	s.complaints(name, seen)
}

func (s *soak) complaints(name string, seen *tally) {
	s.t.Helper()
	for _, c := range seen.complaints {
		s.t.Errorf("%s: %s", name, c)
	}
}

// leaks proves that nothing grew between two times of calm but what the runtime
// keeps for itself.
func (s *soak) leaks(before, after figures) {
	s.t.Helper()
	for _, r := range []struct {
		name   string
		factor float64
		slack  float64
		what   string
	}{
		{"go_goroutines", 1, 4, "goroutines"},
		{"process_open_fds", 1, 4, "open files"},
		// The next collection is due at twice what is held. Each loop may keep 4 MiB of
		// buffers for HTTP/2 and 2 MiB for what could not be sent, which the first part
		// need not fill.
		{"go_memstats_next_gc_bytes", 1.3, 24 << 20, "memory held, doubled"},
		{"process_resident_memory_bytes", 1.5, 32 << 20, "resident memory"},
	} {
		a, b := before[r.name], after[r.name]
		s.t.Logf("%s: %.0f after the first part, %.0f at the end", r.what, a, b)
		if a == 0 || b > a*r.factor+r.slack {
			s.t.Errorf("%s (%s) went from %.0f to %.0f", r.what, r.name, a, b)
		}
	}
}
