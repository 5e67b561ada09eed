package target

import (
	"context"
	"math/rand/v2"
	"time"

	"portico/spec"
	"portico/target/health"
)

// promptMax bounds how long a target waits for its first probe: long enough that
// a thousand targets are not asked at the same instant, short enough that a node
// knows its targets soon after it started.
const promptMax = 200 * time.Millisecond

// prober is the goroutine that probes one target. Ending its context ends it.
type prober struct {
	cancel context.CancelFunc
}

// startProber begins to probe the target. The group is locked.
func (t *Target) startProber(ctx context.Context, h *spec.Health, probe health.Probe) {
	ctx, cancel := context.WithCancel(ctx)
	p := &prober{cancel: cancel}
	t.prober = p
	t.group.targets.probers.Go(func() {
		defer cancel()
		p.run(ctx, t, h.Timing, probe)
	})
}

// halt ends the probing of the target without waiting for it; results that are
// still under way no longer count. The group is locked.
func (t *Target) halt() {
	if t.prober != nil {
		t.prober.cancel()
		t.prober = nil
	}
}

// run probes until ctx ends, from the start of one probe to the start of the
// next one interval, or as soon as the first is over if that took longer.
func (p *prober) run(ctx context.Context, t *Target, timing spec.Timing, probe health.Probe) {
	interval := timing.Interval.D()
	timer := time.NewTimer(rand.N(min(promptMax, interval)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(jitter(interval))
		if err, asked := t.ask(ctx, timing.Timeout.D(), probe); asked {
			t.group.step(ctx, t, p, err, timing.Timeout.D())
		}
	}
}

// ask makes one probe, when there is a slot for it. It has not asked if ctx
// ended before there was an answer.
func (t *Target) ask(ctx context.Context, timeout time.Duration, probe health.Probe) (err error, asked bool) {
	slots := t.group.targets.slots
	select {
	case <-ctx.Done():
		return nil, false
	case slots <- struct{}{}:
	}
	defer func() { <-slots }()
	probing, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = probe(probing, t.group.targets.o.Dial, t.addr)
	return err, ctx.Err() == nil
}

// jitter is the interval give or take 10 %, so that the probes of many targets,
// and of many nodes, do not fall into step.
func jitter(interval time.Duration) time.Duration {
	return interval - interval/10 + rand.N(interval/5+1)
}
