//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"portico/bench/rig"
)

// sample is one measurement.
type sample struct {
	Figure     float64 `json:"figure"` // in the unit of the arm
	User       float64 `json:"user"`   // of the figure, where it is CPU time
	System     float64 `json:"system"`
	InsnUser   float64 `json:"insnUser"` // for each unit; negative where they cannot be counted
	InsnKernel float64 `json:"insnKernel"`
	Rate       float64 `json:"rate"` // units a second
	Busy       float64 `json:"busy"` // share of the core
	Units      int64   `json:"units"`
	Errors     int64   `json:"errors"`
	Memory     int64   `json:"memory"` // resident bytes
}

// warmUp is how long the loader runs before anything is measured.
const warmUp = time.Second

// underLoad measures the CPU time of one unit of what the loader asks for.
func underLoad(ctx context.Context, b *bench, a *arm, r *running) (sample, error) {
	if _, err := a.load(ctx, b.job(a, r, warmUp)); err != nil {
		return sample{}, err
	}
	before, err := tally(ctx, targetCounts)
	if err != nil {
		return sample{}, err
	}
	s, err := observe(ctx, r.Process, b.counts, func() (loaded, error) { return a.load(ctx, b.job(a, r, b.length)) })
	if err != nil {
		return sample{}, err
	}
	after, err := tally(ctx, targetCounts)
	if err != nil {
		return sample{}, err
	}
	if a.unit == "µs/req" {
		err = after.since(before).serves(s.Units)
	}
	return s, err
}

// observe measures the process, its threads and its children while work is done.
func observe(ctx context.Context, p *rig.Process, counts bool, work func() (loaded, error)) (sample, error) {
	pids := p.Family()
	var perf *counter
	if counts {
		var err error
		if perf, err = count(ctx, pids); err != nil {
			return sample{}, err
		}
	}
	began := time.Now()
	before, err := rig.Used(pids)
	if err != nil {
		return sample{}, fmt.Errorf("it ended before it was measured: %w: %s", err, p.Said())
	}
	l, err := work()
	if err != nil {
		return sample{}, err
	}
	after, err := rig.Used(pids)
	if err != nil {
		return sample{}, fmt.Errorf("it ended under load: %w: %s", err, p.Said())
	}
	took := time.Since(began)
	s := sample{InsnUser: -1, InsnKernel: -1, Rate: l.rate, Units: l.units, Errors: l.errors, Memory: rig.Memory(pids)}
	if perf != nil {
		user, kernel := perf.stop()
		s.InsnUser, s.InsnKernel = per(user, l.units), per(kernel, l.units)
	}
	cpu := after.CPU - before.CPU
	s.Busy = cpu.Seconds() / took.Seconds()
	s.Figure = per(cpu.Seconds()*1e6, l.units)
	// The kernel's clock ticks are too coarse for more than a ratio.
	if user, system := after.User-before.User, after.System-before.System; user+system > 0 {
		s.User = s.Figure * float64(user) / float64(user+system)
		s.System = s.Figure - s.User
	}
	return s, nil
}

// per divides what was counted by the units; what was not counted stays negative.
func per(n float64, units int64) float64 {
	if n < 0 {
		return -1
	}
	return n / float64(units)
}
