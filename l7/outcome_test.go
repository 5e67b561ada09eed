package l7

import (
	"testing"
	"time"

	"portico/l7/exchange/outcome"
	"portico/l7/message"
	"portico/spec"
	"portico/target"
	"portico/target/balance"
)

// TestOutcome proves what the end of a request says of its target. The head was
// whole 10 ms after the start, when the request was given to its target.
func TestOutcome(t *testing.T) {
	const ms = time.Millisecond
	start := time.Unix(1_700_000_000, 0)
	tests := []struct {
		name string
		body bool
		sent time.Duration // given to the target, after the start
		r    outcome.Result
		want balance.Outcome // without Now
		none bool
	}{
		{"answered", false, 10 * ms, outcome.Result{Status: 200, FirstByte: 30 * ms, Total: 90 * ms}, balance.Outcome{Took: 20 * ms}, false},
		{"a client's mistake is an answer", false, 10 * ms, outcome.Result{Status: 404, FirstByte: 30 * ms, Total: 30 * ms}, balance.Outcome{Took: 20 * ms}, false},
		{"an error of the target", false, 10 * ms, outcome.Result{Status: 503, FirstByte: 11 * ms, Total: 12 * ms}, balance.Outcome{Took: ms, Failed: true}, false},
		{"after another target was tried", false, 3010 * ms, outcome.Result{Status: 200, FirstByte: 3030 * ms, Total: 3031 * ms}, balance.Outcome{Took: 20 * ms}, false},
		{"a slow upload is the client's", true, 10 * ms, outcome.Result{Status: 200, Sent: 5000 * ms, FirstByte: 5020 * ms, Total: 5030 * ms}, balance.Outcome{Took: 20 * ms}, false},
		{"answered before the upload ended", true, 10 * ms, outcome.Result{Status: 200, Sent: 5000 * ms, FirstByte: 50 * ms, Total: 5030 * ms}, balance.Outcome{}, false},
		{"died before it answered", false, 10 * ms, outcome.Result{Status: 502, Why: outcome.TargetClosed, Total: 110 * ms}, balance.Outcome{Took: 100 * ms, Failed: true}, false},
		{"died while it answered", false, 10 * ms, outcome.Result{Status: 200, Why: outcome.TargetClosed, FirstByte: 20 * ms, Total: 110 * ms}, balance.Outcome{Took: 10 * ms, Failed: true}, false},
		{"not connected", false, 10 * ms, outcome.Result{Status: 504, Why: outcome.TargetConnectTimeout, Total: 3010 * ms}, balance.Outcome{Took: 3000 * ms, Failed: true}, false},
		{"no time left", false, 10 * ms, outcome.Result{Status: 504, Why: outcome.TotalTimeout, Total: 1010 * ms}, balance.Outcome{Took: 1000 * ms, Failed: true}, false},
		{"no time left for a long answer", false, 10 * ms, outcome.Result{Status: 200, Why: outcome.TotalTimeout, FirstByte: 20 * ms, Total: 1010 * ms}, balance.Outcome{Took: 10 * ms}, false},
		{"the client did not wait", false, 10 * ms, outcome.Result{Why: outcome.ClientClosed, Total: 510 * ms}, balance.Outcome{Took: 500 * ms, Least: true}, false},
		{"the client left in its upload", true, 10 * ms, outcome.Result{Why: outcome.ClientClosed, Total: 510 * ms}, balance.Outcome{}, true},
		{"the client left in the answer", false, 10 * ms, outcome.Result{Status: 200, Why: outcome.ClientClosed, FirstByte: 20 * ms, Total: 510 * ms}, balance.Outcome{Took: 10 * ms}, false},
		{"the client sent too much", true, 10 * ms, outcome.Result{Status: 413, Why: outcome.ClientTooLarge, Total: 510 * ms}, balance.Outcome{}, true},
		{"cut off by a drain", false, 10 * ms, outcome.Result{Status: 0, Why: outcome.Drained, Total: 510 * ms}, balance.Outcome{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Start = start
			st := &state{sent: start.Add(tt.sent)}
			req := &message.Request{}
			if tt.body {
				req.Framing = message.Length
			}
			got, ok := st.outcome(req, &tt.r)
			if ok == tt.none {
				t.Fatalf("outcome %+v, %v", got, ok)
			}
			if tt.want.Now = start.Add(tt.r.Total); ok && got != tt.want {
				t.Errorf("outcome %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestLeastTimeLearns proves that what becomes of requests reaches the balance:
// the answer's time, and targets that do not take a request.
func TestLeastTimeLearns(t *testing.T) {
	leastTime := func(g *spec.TargetGroup) { g.Balance = &spec.Choice{Name: "least-time"} }
	tests := []struct {
		name string
		took time.Duration // of the slow one; 0 means that it takes no request
	}{
		{"slow", 300 * time.Millisecond},
		{"not taken", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlayer(t, plainRule, leastTime)
			bad := p.h.rules[0].groups[0].group.Targets()[0]
			counts := map[*target.Target]int{}
			for range 300 {
				p.begin()
				counts[p.d.Target]++
				if p.d.Target == bad && tt.took == 0 {
					p.h.Next(&p.req, &p.d, outcome.TargetConnectFailed)
				}
				p.result.Wait, p.result.FirstByte = 0, 5*time.Millisecond
				if p.d.Target == bad {
					p.result.FirstByte = tt.took
				}
				p.result.Total = p.result.FirstByte
				p.h.End(&p.req, &p.d, &p.result)
				p.result.Start = p.result.Start.Add(time.Millisecond)
			}
			if counts[bad] > 30 || len(counts) != 3 {
				t.Errorf("of 300 requests the bad target got %d, %d targets got any", counts[bad], len(counts))
			}
		})
	}
}
