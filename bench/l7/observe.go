//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// sample is one measurement, per request where that makes sense.
type sample struct {
	cpu, user, system        float64 // µs
	insnUser, insnKernel     float64 // negative where they cannot be counted
	rate                     float64 // requests a second
	busy                     float64 // share of the core
	requests, errors, memory int64   // memory in bytes
}

// observe measures the process, its threads and its children while work is done.
func observe(ctx context.Context, p *process, counts bool, work func() (loaded, error)) (sample, error) {
	pids := append([]int{p.pid}, children(p.pid)...)
	var perf *counter
	if counts {
		var err error
		if perf, err = count(ctx, pids); err != nil {
			return sample{}, err
		}
	}
	began := time.Now()
	before, err := used(pids)
	if err != nil {
		return sample{}, err
	}
	l, err := work()
	if err != nil {
		return sample{}, err
	}
	after, err := used(pids)
	if err != nil {
		return sample{}, fmt.Errorf("it ended under load: %w: %s", err, p.said())
	}
	took := time.Since(began)
	s := sample{insnUser: -1, insnKernel: -1, rate: l.rate, requests: l.requests, errors: l.errors, memory: memory(pids)}
	if perf != nil {
		user, kernel := perf.stop()
		s.insnUser, s.insnKernel = per(user, l.requests), per(kernel, l.requests)
	}
	cpu := after.cpu - before.cpu
	s.busy = cpu.Seconds() / took.Seconds()
	s.cpu = per(cpu.Seconds()*1e6, l.requests)
	// The kernel's clock ticks are too coarse for more than a ratio.
	if user, system := after.user-before.user, after.system-before.system; user+system > 0 {
		s.user = s.cpu * float64(user) / float64(user+system)
		s.system = s.cpu - s.user
	}
	return s, nil
}

func per(n float64, requests int64) float64 { return n / float64(requests) }
