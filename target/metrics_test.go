package target_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"portico/spec"
	"portico/target"
)

// TestMetrics proves what is scraped, also of two targets that share a name, and
// that it is gone with its target.
func TestMetrics(t *testing.T) {
	n := newNetwork()
	n.set("refuse", 2)
	registry := prometheus.NewRegistry()
	sameName := func(g *spec.TargetGroup) { g.Targets[2].Name = "t2" }
	synctest.Test(t, func(t *testing.T) {
		ts := running(t, target.Options{Dial: n.dial, Metrics: registry})
		apply(t, ts, web(3, sameName, limited(1, 1)))
		pass(500 * time.Millisecond)
		find(t, ts, 1).Begin()
		find(t, ts, 1).Begin()
		find(t, ts, 1).End()
		waitSome(t, ts.Group("web"), 20*time.Millisecond, 3*time.Second)
		want := `
# HELP portico_health_probes_total Health probes of the group's targets.
# TYPE portico_health_probes_total counter
portico_health_probes_total{group="web",result="fail"} 1
portico_health_probes_total{group="web",result="pass"} 2
# HELP portico_target_active Requests or flows in flight to the target.
# TYPE portico_target_active gauge
portico_target_active{group="web",target="10.0.0.2:80"} 0
portico_target_active{group="web",target="10.0.0.3:80"} 0
portico_target_active{group="web",target="t1"} 1
# HELP portico_target_ejected 1 while the target is ejected for its answers, or on trial.
# TYPE portico_target_ejected gauge
portico_target_ejected{group="web",target="10.0.0.2:80"} 0
portico_target_ejected{group="web",target="10.0.0.3:80"} 0
portico_target_ejected{group="web",target="t1"} 0
# HELP portico_target_ejections_total Times that a target was ejected for its answers, by kind.
# TYPE portico_target_ejections_total counter
portico_target_ejections_total{group="web",kind="failures"} 0
portico_target_ejections_total{group="web",kind="latency"} 0
portico_target_ejections_total{group="web",kind="success-rate"} 0
# HELP portico_target_group_mode 1 for which targets of the group are used, 0 for the other modes.
# TYPE portico_target_group_mode gauge
portico_target_group_mode{group="web",mode="fail-open"} 0
portico_target_group_mode{group="web",mode="healthy"} 1
portico_target_group_mode{group="web",mode="none"} 0
portico_target_group_mode{group="web",mode="panic"} 0
portico_target_group_mode{group="web",mode="unchecked"} 0
portico_target_group_mode{group="web",mode="unknown"} 0
# HELP portico_target_queue_length Requests that wait because each target of the group is at its limit.
# TYPE portico_target_queue_length gauge
portico_target_queue_length{group="web"} 0
# HELP portico_target_queue_seconds How long requests waited that got a target.
# TYPE portico_target_queue_seconds histogram
portico_target_queue_seconds_bucket{group="web",le="0.001"} 0
portico_target_queue_seconds_bucket{group="web",le="0.005"} 0
portico_target_queue_seconds_bucket{group="web",le="0.025"} 1
portico_target_queue_seconds_bucket{group="web",le="0.1"} 1
portico_target_queue_seconds_bucket{group="web",le="0.5"} 1
portico_target_queue_seconds_bucket{group="web",le="2"} 1
portico_target_queue_seconds_bucket{group="web",le="10"} 2
portico_target_queue_seconds_bucket{group="web",le="+Inf"} 2
portico_target_queue_seconds_sum{group="web"} 3.02
portico_target_queue_seconds_count{group="web"} 2
# HELP portico_target_queue_total Requests that had to wait for a target, or were turned away, by outcome.
# TYPE portico_target_queue_total counter
portico_target_queue_total{group="web",outcome="gone"} 0
portico_target_queue_total{group="web",outcome="late"} 1
portico_target_queue_total{group="web",outcome="refused"} 1
portico_target_queue_total{group="web",outcome="served"} 2
# HELP portico_target_requests_total Requests or flows sent to the target.
# TYPE portico_target_requests_total counter
portico_target_requests_total{group="web",target="10.0.0.2:80"} 0
portico_target_requests_total{group="web",target="10.0.0.3:80"} 3
portico_target_requests_total{group="web",target="t1"} 2
# HELP portico_target_verdict 1 for what health says of the target, 0 for the other verdicts.
# TYPE portico_target_verdict gauge
portico_target_verdict{group="web",target="10.0.0.2:80",verdict="healthy"} 0
portico_target_verdict{group="web",target="10.0.0.2:80",verdict="unhealthy"} 1
portico_target_verdict{group="web",target="10.0.0.2:80",verdict="unknown"} 0
portico_target_verdict{group="web",target="10.0.0.3:80",verdict="healthy"} 1
portico_target_verdict{group="web",target="10.0.0.3:80",verdict="unhealthy"} 0
portico_target_verdict{group="web",target="10.0.0.3:80",verdict="unknown"} 0
portico_target_verdict{group="web",target="t1",verdict="healthy"} 1
portico_target_verdict{group="web",target="t1",verdict="unhealthy"} 0
portico_target_verdict{group="web",target="t1",verdict="unknown"} 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Error(err)
		}
		apply(t, ts)
		if got, err := testutil.GatherAndCount(registry); got != 0 || err != nil {
			t.Errorf("%d series after all is gone, %v", got, err)
		}
	})
	if problems, err := testutil.GatherAndLint(registry); len(problems) != 0 || err != nil {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// waitSome takes the last place of a group and has others wait for it, as long as
// told, one in vain, and one find the queue full.
func waitSome(t *testing.T, g *target.Group, waits ...time.Duration) {
	t.Helper()
	now := time.Now()
	m, _ := g.Take(query(), nil)
	var w target.Waiter
	for _, d := range waits {
		if _, ok := g.Wait(&w, now); !ok {
			t.Fatal("the queue is full")
		}
		m.End()
		if w.Take(now.Add(d)) != m {
			t.Fatal("the place was not given")
		}
	}
	if _, ok := g.Wait(&w, now); !ok {
		t.Fatal("the queue is full")
	}
	if _, ok := g.Wait(&target.Waiter{}, now); ok {
		t.Fatal("the queue is not full")
	}
	w.Leave(true)
	m.End()
}
