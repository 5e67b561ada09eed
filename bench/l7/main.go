//go:build linux

// Command l7 measures what requests, connections and rest cost Portico, and what
// they cost nginx and HAProxy on the same work in the same run: CPU time and, where
// the machine can count them, instructions. See bench/README.md.
//
// Usage, in the root of the repository, after make build:
//
//	go run ./bench/l7 [-arms h1-c64,tls13] [-only haproxy,portico] [-rounds 5] [-for 2s] [-o json]
//
// Start reading at arms, the table of what is measured; then at bench.
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

	"portico/bench/rig"
)

// folder holds what the contestants are configured with, from the root of the repository.
const folder = "bench/l7"

// targetSource is the program that answers.
const targetSource = folder + "/target/target.c"

// options are the flags.
type options struct {
	rounds  int
	length  time.Duration
	arms    []string // all when empty
	only    []string // all when empty
	output  string
	portico string
	install bool
	nice    int

	congestion string // empty: the machine's
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
	var arms, only string
	flags := flag.NewFlagSet("bench/l7", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each is measured, in turn; 1 to 100")
	flags.DurationVar(&o.length, "for", 2*time.Second, "how long each measurement takes; 1s to 60s")
	flags.StringVar(&arms, "arms", "", "what to measure, separated by commas; all when not given: "+strings.Join(armNames(), ","))
	flags.StringVar(&only, "only", "", "whom to measure, separated by commas; all when not given: "+strings.Join(programs, ","))
	flags.StringVar(&o.output, "o", "text", "text or json")
	flags.StringVar(&o.portico, "portico", "bin/portico", "the binary to measure")
	flags.BoolVar(&o.install, "install", true, "as root, install missing packages with apt-get")
	flags.StringVar(&o.congestion, "congestion", rig.Usual, "as root, the congestion control of all connections; the machine's when empty")
	flags.IntVar(&o.nice, "nice", -20, "as root, the priority of all that takes part; -20 to 19")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.arms, err = chosen("-arms", arms, armNames()); err != nil {
		return o, err
	}
	if o.only, err = chosen("-only", only, programs); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q: it takes flags alone", flags.Arg(0))
	case o.rounds < 1 || o.rounds > 100:
		return o, errors.New("-rounds takes 1 to 100")
	case o.length < time.Second || o.length > time.Minute:
		return o, errors.New("-for takes 1s to 60s")
	case o.nice < -20 || o.nice > 19:
		return o, errors.New("-nice takes -20 to 19")
	case o.output != "text" && o.output != "json":
		return o, fmt.Errorf("-o %q: it takes text or json", o.output)
	}
	return o, nil
}

// chosen splits the value of a flag that names some of a list.
func chosen(name, value string, all []string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	names := strings.Split(value, ",")
	for _, n := range names {
		if !slices.Contains(all, n) {
			return nil, fmt.Errorf("%s: unknown %q; there are %s", name, n, strings.Join(all, ", "))
		}
	}
	return names, nil
}

// run measures and prints. What is missing is said and left out; an error means
// that something that is there did not work.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == handshakesVerb:
		return handshakesMain(ctx, args[1:], os.Stdout)
	case len(args) > 0 && args[0] == publicKeyVerb:
		return publicKeyMain(os.Stdout)
	}
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
	unlock, err := rig.Alone(ctx, filepath.Join(os.TempDir(), "portico-bench.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	missing := packages.Provide(ctx, o.install)
	for _, need := range []string{"gcc", "wrk", "taskset"} {
		if slices.Contains(missing, need) {
			return fmt.Errorf("nothing measured: no %s (Debian: apt-get install %s)", need, packages[need])
		}
	}
	if apart, err := rig.Apart(ctx, o.congestion); apart || err != nil {
		return err
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
