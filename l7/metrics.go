package l7

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/internal/clock"
	"portico/l7/exchange/outcome"
	"portico/l7/filter"
	"portico/l7/loop"
	"portico/l7/tlsx"
	"portico/spec"
)

// Every label comes from the spec or from a fixed list, none from a client.

const (
	// routesMax bounds the routes of one listener that have series of their own.
	routesMax = 500
	// routeOther stands for the routes above it, routeNone for requests no rule took.
	routeOther = "other"
	routeNone  = ""
)

// codes are the classes of a status; the first is for requests without an answer,
// and a status above 599 counts as 5xx (RFC 9110, section 15).
var codes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	ended     *prometheus.CounterVec
	retries   *prometheus.CounterVec
	unretried *prometheus.CounterVec
	shed      *prometheus.CounterVec
	active    *prometheus.GaugeVec
	refused   [loop.BadHandshake + 1]prometheus.Counter
	// handshakes are those that failed, by tlsx.Reason.
	handshakes map[string]prometheus.Counter
	moved      prometheus.Counter
	filters    *prometheus.CounterVec

	mu    sync.Mutex
	known map[series]bool // whose series there are
}

// series are those of one route of one listener.
type series struct {
	listener spec.ListenerName
	route    spec.RouteName
}

// listenerCount are the bound series of one listener.
type listenerCount struct {
	active    prometheus.Gauge
	retries   prometheus.Counter
	unretried prometheus.Counter
	shed      [len(priorities)]prometheus.Counter
	ended     []prometheus.Counter // by outcome.Why
	none      *routeCount          // of requests no rule took
}

// routeCount are the bound series of one route of a listener.
type routeCount struct {
	series
	requests [len(codes)]prometheus.Counter
	duration prometheus.Observer
}

func newMetrics(to prometheus.Registerer, s *Server) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "portico_l7_" + name, Help: help}, labels)
		to.MustRegister(v)
		return v
	}
	m := &metrics{
		requests:  counter("requests_total", "Requests that ended, by the class of their status.", "listener", "route", "code"),
		ended:     counter("requests_ended_total", "Requests that ended, by reason.", "listener", "reason"),
		retries:   counter("retries_total", "Targets or connections tried after the first.", "listener"),
		unretried: counter("retries_refused_total", "Retries that the budget did not allow.", "listener"),
		shed:      counter("requests_shed_total", "Requests turned away because the listener had too many in flight, by priority.", "listener", "priority"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "portico_l7_request_duration_seconds",
			Help:    "From the first byte of a request to the end of its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"listener", "route"}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "portico_l7_requests_active", Help: "Requests under way.",
		}, []string{"listener"}),
		moved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "portico_l7_sticky_moved_total", Help: "Sticky sessions that had to go to another target.",
		}),
		filters: counter("filter_requests_total", "Requests that a filter let pass or refused, by outcome.",
			"listener", "route", "filter", "outcome"),
		handshakes: map[string]prometheus.Counter{},
		known:      map[series]bool{},
	}
	refused := counter("connections_refused_total", "Connections closed before any request, by reason.", "reason")
	for i := range m.refused {
		m.refused[i] = refused.WithLabelValues(loop.Refusal(i).String())
	}
	handshakes := counter("handshake_failures_total", "TLS handshakes with clients that failed, by reason.", "reason")
	for _, reason := range tlsx.Reasons() {
		m.handshakes[reason] = handshakes.WithLabelValues(reason)
	}
	to.MustRegister(
		m.duration, m.active, m.moved,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_l7_connections", Help: "Connections of clients that are open.",
		}, func() float64 { return float64(s.stats().Clients) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_l7_target_connections_idle", Help: "Connections to targets that wait for a request.",
		}, func() float64 { return float64(s.stats().Idle) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_l7_loop_lag_seconds", Help: "How long what is ready waits in the event loop that is the latest.",
		}, func() float64 { return s.stats().Lag.Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_l7_buffers_bytes", Help: "Memory that requests and answers under way hold.",
		}, func() float64 { return float64(s.stats().Held) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "portico_l7_rate_limit_keys", Help: "Keys that rate limits remember because they used some of their rate.",
		}, func() float64 { return float64(s.kept.Rates(clock.Now()).Keys) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "portico_l7_rate_limit_keys_evicted_total", Help: "Keys that rate limits forgot too soon, for want of memory.",
		}, func() float64 { return float64(s.kept.Rates(clock.Now()).Evicted) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "portico_l7_access_log_dropped_total", Help: "Lines of the access log that found its queue full.",
		}, func() float64 { return float64(s.log.Dropped()) }),
	)
	return m
}

// listener binds the series of a listener.
func (m *metrics) listener(name spec.ListenerName) *listenerCount {
	c := &listenerCount{
		active:    m.active.WithLabelValues(string(name)),
		retries:   m.retries.WithLabelValues(string(name)),
		unretried: m.unretried.WithLabelValues(string(name)),
		none:      m.route(name, routeNone, 0),
	}
	for i, p := range priorities {
		c.shed[i] = m.shed.WithLabelValues(string(name), string(p))
	}
	for _, why := range outcome.Whys() {
		c.ended = append(c.ended, m.ended.WithLabelValues(string(name), why.String()))
	}
	return c
}

// route binds the series of the nth route of a listener.
func (m *metrics) route(listener spec.ListenerName, name spec.RouteName, n int) *routeCount {
	if n >= routesMax {
		name = routeOther
	}
	m.mu.Lock()
	m.known[series{listener, name}] = true
	m.mu.Unlock()
	c := &routeCount{series: series{listener, name}, duration: m.duration.WithLabelValues(string(listener), string(name))}
	for i, code := range codes {
		c.requests[i] = m.requests.WithLabelValues(string(listener), string(name), code)
	}
	return c
}

// filterCount are the bound series of one filter of a route, by filter.Outcome.
type filterCount []prometheus.Counter

// judged binds the series of the filters of a rule that admit requests; "" stands
// for one that does not.
func (m *metrics) judged(of *routeCount, names []string) []filterCount {
	counts := make([]filterCount, len(names))
	for i, name := range names {
		if name == "" {
			continue
		}
		for _, o := range filter.Outcomes() {
			var c prometheus.Counter
			if o != filter.Unasked {
				c = m.filters.WithLabelValues(string(of.listener), string(of.route), name, o.String())
			}
			counts[i] = append(counts[i], c)
		}
	}
	return counts
}

// retain forgets the series of listeners and routes that a spec has no more.
func (m *metrics) retain(want *spec.Spec) {
	wanted := map[series]bool{}
	listeners := map[spec.ListenerName]bool{}
	for i := range want.Listeners {
		l := &want.Listeners[i]
		listeners[l.Name] = true
		wanted[series{l.Name, routeNone}], wanted[series{l.Name, routeOther}] = true, true
		for _, r := range l.Routes {
			wanted[series{l.Name, r}] = true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.known {
		if wanted[s] {
			continue
		}
		delete(m.known, s)
		labels := prometheus.Labels{"listener": string(s.listener), "route": string(s.route)}
		m.requests.DeletePartialMatch(labels)
		m.duration.DeletePartialMatch(labels)
		m.filters.DeletePartialMatch(labels)
		if !listeners[s.listener] {
			delete(labels, "route")
			m.ended.DeletePartialMatch(labels)
			m.retries.DeletePartialMatch(labels)
			m.unretried.DeletePartialMatch(labels)
			m.shed.DeletePartialMatch(labels)
			m.active.DeletePartialMatch(labels)
		}
	}
}

// eventEvery is how often one kind of event is logged at most.
const eventEvery = time.Second

// event lets one log line through in eventEvery, and counts those it held back.
type event struct {
	next atomic.Int64 // when the next one may pass, in Unix nanoseconds
	held atomic.Uint64
}

// now reports whether the event may be logged, and how many were not since the last.
func (e *event) now(at time.Time) (held uint64, ok bool) {
	next := e.next.Load()
	if at.UnixNano() < next || !e.next.CompareAndSwap(next, at.Add(eventEvery).UnixNano()) {
		e.held.Add(1)
		return 0, false
	}
	return e.held.Swap(0), true
}
