//go:build linux

// Command relay measures what flows cost the relay of the L4 tier, and what they cost
// HAProxy in tcp mode and nginx's stream module on the same work in the same run: CPU
// time for each connection, each small request on a connection that is kept, and each
// byte of large answers. See bench/README.md.
//
// Usage, in the root of the repository, after make build:
//
//	go run ./bench/l4/relay [-rounds 5] [-for 2s] [-only haproxy,portico]
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
	"strings"
	"syscall"
	"time"

	"portico/bench/rig"
)

// folder holds what the contestants are configured with, from the root of the repository.
const folder = "bench/l4/relay"

// packages hold the programs we use.
var packages = rig.Packages{
	"gcc":     "gcc libc6-dev",
	"haproxy": "haproxy",
	"nginx":   "nginx-light libnginx-mod-stream",
	"taskset": "util-linux",
	"wrk":     "wrk",
}

// options are the flags.
type options struct {
	rounds  int
	length  time.Duration
	only    []string // all when empty
	arms    []string // all when empty
	portico string
	install bool
	nice    int

	congestion string // empty: the machine's
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench-l4:", err)
		stop()
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var only, arms string
	flags := flag.NewFlagSet("bench/l4/relay", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each is measured, in turn; 1 to 100")
	flags.DurationVar(&o.length, "for", 2*time.Second, "how long each measurement takes; 1s to 60s")
	flags.StringVar(&only, "only", "", "whom to measure, separated by commas; all when not given")
	flags.StringVar(&arms, "arms", "", "what to measure, separated by commas: conn,req,byte; all when not given")
	flags.StringVar(&o.portico, "portico", "bin/portico", "the binary to measure")
	flags.BoolVar(&o.install, "install", true, "as root, install missing packages with apt-get")
	flags.StringVar(&o.congestion, "congestion", rig.Usual, "as root, the congestion control of all connections; the machine's when empty")
	flags.IntVar(&o.nice, "nice", -20, "as root, the priority of all that takes part; -20 to 19")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	if arms != "" {
		o.arms = strings.Split(arms, ",")
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
	}
	return o, nil
}

// run measures and prints. What is missing is said and left out; an error means
// that something that is there did not work.
func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(folder, "portico.yaml")); err != nil {
		return errors.New("run it in the root of the repository: go run ./bench/l4/relay")
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
	if apart, err := rig.Apart(ctx, o.congestion); apart || err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "portico-bench-l4-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	b, err := newBench(ctx, o, temp, missing)
	if err != nil {
		return err
	}
	return b.all(ctx)
}
