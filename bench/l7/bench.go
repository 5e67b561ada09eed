//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"portico/bench/rig"
)

// bench is one run over all arms.
type bench struct {
	options
	temp        string
	seats       rig.Seats
	counts      bool // the machine counts instructions
	contestants map[string]*contestant
	arms        []*arm
	results     map[string]map[string]*result // by arm and row
	bounds      map[string]string             // by arm, where there is one
	target      *rig.Process
}

// result is what was measured of one entrant in one arm.
type result struct {
	samples []sample
	reason  string // why there is no figure to compare, or empty
}

// running is an entrant at work.
type running struct {
	entrant
	*rig.Process
	cookie string // of its session; empty without one
}

func newBench(ctx context.Context, o options, temp string) (*bench, error) {
	b := &bench{options: o, temp: temp, arms: selected(o), results: map[string]map[string]*result{}, bounds: map[string]string{}}
	var err error
	if b.seats, err = rig.ChooseSeats(o.nice); err != nil {
		return nil, err
	}
	if err := rig.Compile(ctx, targetSource, filepath.Join(temp, "target")); err != nil {
		return nil, err
	}
	if err := furnish(temp); err != nil {
		return nil, err
	}
	b.counts = canCount(ctx)
	if b.portico, err = filepath.Abs(o.portico); err != nil {
		return nil, err
	}
	b.contestants = contestants(ctx, b.portico, temp)
	return b, nil
}

// The ports of the target: where it counts, and where it answers.
const (
	targetCounts = "19000"
	targetOne    = "19001"
	targetTwo    = "19002"
)

// all measures every arm and prints what came out.
func (b *bench) all(ctx context.Context) error {
	var err error
	if err := rig.Vacant(ctx, direct.address); err != nil {
		return err
	}
	b.target, err = rig.Start(b.temp, "target", b.seats.Load, "./target", targetCounts, targetOne, targetTwo)
	if err != nil {
		return err
	}
	defer b.target.Stop()
	if err := (ask{path: "/1k", size: 1 << 10}).ready(ctx, b.target, direct.address); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if b.output == "text" {
		b.describe(os.Stdout)
	}
	for _, a := range b.arms {
		if err := b.arm(ctx, a); err != nil {
			return err
		}
		if b.output == "text" {
			b.table(os.Stdout, a)
		}
	}
	if b.output == "json" {
		return errors.Join(b.writeJSON(os.Stdout), b.failure())
	}
	b.lines(os.Stdout)
	return b.failure()
}

// arm measures every entrant in turn, round after round, so that what else the
// machine does falls on all alike; each round begins with another one. Who fails
// once is left alone from then on.
func (b *bench) arm(ctx context.Context, a *arm) error {
	results := map[string]*result{}
	b.results[a.name] = results
	for _, e := range a.entrants {
		results[e.row] = &result{reason: b.contestants[e.program].missing}
	}
	rounds := b.rounds
	if a.rounds > 0 {
		rounds = min(rounds, a.rounds)
	}
	for round := range rounds {
		for i := range a.entrants {
			e := a.entrants[(i+round)%len(a.entrants)]
			r := results[e.row]
			if r.reason != "" {
				continue
			}
			s, err := b.measure(ctx, a, e, round == 0)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				r.samples, r.reason = nil, err.Error()
				fmt.Fprintf(os.Stderr, "%-10s round %d of %d  %-8s %v\n", a.name, round+1, rounds, e.row, err)
				continue
			}
			r.samples = append(r.samples, s)
			fmt.Fprintf(os.Stderr, "%-10s round %d of %d  %-8s %8.2f %s\n", a.name, round+1, rounds, e.row, s.Figure, a.unit)
		}
	}
	for _, r := range results {
		if n := failures(r.samples); n > 0 {
			r.reason = fmt.Sprintf("%d requests FAILED", n)
		}
	}
	if a.bound == nil {
		return nil
	}
	var err error
	b.bounds[a.name], err = a.bound(ctx, b, a)
	return err
}

// measure starts an entrant afresh, the first time sees that it does what it is
// asked for, and measures it.
func (b *bench) measure(ctx context.Context, a *arm, e entrant, first bool) (sample, error) {
	r := &running{entrant: e, Process: b.target}
	if command := b.contestants[e.program].command; command != nil {
		if err := rig.Vacant(ctx, e.address); err != nil {
			return sample{}, err
		}
		var err error
		if r.Process, err = rig.Start(b.temp, e.program, b.seats.Proxy, command(e.file)...); err != nil {
			return sample{}, err
		}
		defer r.Stop()
	}
	if err := a.ask.ready(ctx, r.Process, e.address); err != nil {
		return sample{}, err
	}
	var err error
	if r.cookie, err = a.ask.sessionCookie(ctx, e.address); err != nil {
		return sample{}, err
	}
	if first {
		if err := a.ask.kept(ctx, e.address, r.cookie); err != nil {
			return sample{}, err
		}
	}
	return a.measure(ctx, b, a, r)
}

// job is what the loader of an arm is to do to an entrant.
func (b *bench) job(a *arm, r *running, length time.Duration) job {
	return job{
		at: b.seats.Load, ask: a.ask, address: r.address, cookie: r.cookie,
		connections: a.connections, streams: a.streams, routes: routesOf[r.file], length: length,
	}
}

// describe says what is measured where, before it takes its time.
func (b *bench) describe(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%d rounds of %v in turn; two targets, health checks every 2 s, no access logs\n", b.rounds, b.length)
	_, _ = fmt.Fprintf(w, "kernel %s, %s, %s; proxy on core %d, loader and targets on core %d\n", rig.Kernel(), runtime.GOARCH, rig.Congestion(), b.seats.Proxy.Core, b.seats.Load.Core)
	for _, name := range programs {
		if v := b.contestants[name].version; v != "" {
			_, _ = fmt.Fprintf(w, "  %-8s %s\n", name, v)
		}
	}
	if !b.counts {
		_, _ = fmt.Fprintln(w, "  instructions are not counted: no perf, or the machine has no counters")
	}
}
