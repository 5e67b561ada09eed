//go:build linux

// Command l7 measures what one proxied HTTP/1.1 request costs Portico, and what it
// costs nginx and HAProxy on the same work in the same run: CPU time and, where
// the machine can count them, instructions. See bench/README.md.
//
// Usage, in the root of the repository, after make build:
//
//	go run ./bench/l7 [-rounds 5] [-for 3s] [-connections 64] [-only direct,nginx,haproxy,portico]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// folder holds what the contestants are configured with, from the root of the repository.
const folder = "bench/l7"

// options are the flags.
type options struct {
	rounds      int
	length      time.Duration
	connections int
	only        string
	portico     string
	install     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-l7:", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench/l7", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each is measured, in turn; 1 to 100")
	flags.DurationVar(&o.length, "for", 3*time.Second, "how long each measurement takes; 1s to 60s")
	flags.IntVar(&o.connections, "connections", 64, "connections of the loader; 1 to 4096")
	flags.StringVar(&o.only, "only", "", "contestants, separated by commas; all when not given")
	flags.StringVar(&o.portico, "portico", "bin/portico", "the binary to measure")
	flags.BoolVar(&o.install, "install", true, "as root, install missing packages with apt-get")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case o.rounds < 1 || o.rounds > 100:
		return o, errors.New("-rounds takes 1 to 100")
	case o.length < time.Second || o.length > time.Minute:
		return o, errors.New("-for takes 1s to 60s")
	case o.connections < 1 || o.connections > 4096:
		return o, errors.New("-connections takes 1 to 4096")
	}
	return o, nil
}

// run measures and prints. What is missing is said and left out; an error means
// that something that is there did not work.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "portico.yaml")); err != nil {
		return errors.New("run it in the root of the repository: go run ./bench/l7")
	}
	// Debian keeps nginx and haproxy where an ordinary user does not look.
	if err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin"); err != nil {
		return err
	}
	missing := provide(ctx, o.install)
	for _, need := range []string{"gcc", "wrk", "taskset"} {
		if slices.Contains(missing, need) {
			fmt.Printf("bench-l7: nothing measured: no %s (Debian: apt-get install %s)\n", need, packages[need])
			return nil
		}
	}
	temp, err := os.MkdirTemp("", "portico-bench-l7-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	b, err := newBench(ctx, o, temp)
	if err != nil {
		return err
	}
	return b.all(ctx)
}

// bench is one run over all contestants.
type bench struct {
	options
	temp        string
	cores       cores
	target      string // the binary
	counts      bool   // the machine counts instructions
	contestants []contestant
	results     map[string][]sample
}

func newBench(ctx context.Context, o options, temp string) (*bench, error) {
	b := &bench{options: o, temp: temp, results: map[string][]sample{}}
	var err error
	if b.cores, err = chooseCores(); err != nil {
		return nil, err
	}
	b.target = filepath.Join(temp, "target")
	if err := build(ctx, b.target); err != nil {
		return nil, err
	}
	b.counts = canCount(ctx)
	for _, c := range contestants(o.portico, temp) {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), c.name) {
			continue
		}
		if c.version, err = c.ask(ctx); err != nil {
			fmt.Printf("bench-l7: without %s: %v\n", c.name, err)
			continue
		}
		b.contestants = append(b.contestants, c)
	}
	return b, nil
}

// all measures every contestant in turn, round after round, so that what else the
// machine does falls on all alike.
func (b *bench) all(ctx context.Context) error {
	target, err := start(b.cores.load, filepath.Join(b.temp, "target.log"), b.target, "19001", "19002")
	if err != nil {
		return err
	}
	defer target.stop()
	if err := target.ready(ctx, "127.0.0.1:19001"); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	b.describe()
	for round := range b.rounds {
		for _, c := range b.contestants {
			s, err := b.measure(ctx, c, target)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				return fmt.Errorf("round %d: %s: %w", round+1, c.name, err)
			}
			b.results[c.name] = append(b.results[c.name], s)
			fmt.Fprintf(os.Stderr, "round %d of %d: %-8s %6.2f µs/req %8.0f req/s\n", round+1, b.rounds, c.name, s.cpu, s.rate)
		}
	}
	b.report(os.Stdout)
	if n := failures(b.results["portico"]); n > 0 {
		return fmt.Errorf("portico failed %d requests", n)
	}
	return nil
}

// measure starts a contestant afresh, warms it up, and measures it under load.
func (b *bench) measure(ctx context.Context, c contestant, target *process) (sample, error) {
	p := target // direct: what the target itself costs
	if len(c.command) > 0 {
		var err error
		p, err = start(b.cores.proxy, filepath.Join(b.temp, c.name+".log"), c.command...)
		if err != nil {
			return sample{}, err
		}
		defer p.stop()
		if err := p.ready(ctx, c.address); err != nil {
			return sample{}, err
		}
	}
	url := "http://" + c.address + "/1k"
	if _, err := load(ctx, b.cores.load, b.connections, time.Second, url); err != nil {
		return sample{}, err
	}
	return observe(ctx, p, b.counts, func() (loaded, error) {
		return load(ctx, b.cores.load, b.connections, b.length, url)
	})
}
