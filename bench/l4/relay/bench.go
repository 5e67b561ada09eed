//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"portico/bench/rig"
)

// arm is one kind of work.
type arm struct {
	name, title string
	unit        string  // of the figure
	path        string  // what the loader asks for: see bench/l7/target
	connections int     // of the loader
	perUnit     float64 // µs of CPU per request, times this, is the figure
}

// arms are all of them, in the order of the line.
var arms = []arm{
	{"conn", "a connection for each request of 1 KiB, 64 at once", "µs/conn", "/close", 64, 1},
	{"req", "requests of 1 KiB on 64 connections that are kept", "µs/req", "/1k", 64, 1},
	{"byte", "answers of 1 MiB on 16 connections that are kept", "ns/KiB", "/m", 16, 1000. / 1024},
}

// entrant is who takes part.
type entrant struct {
	name, address string
	command       func(b *bench) []string
}

// entrants are all of them. Ports are below those that the kernel gives out.
var entrants = []entrant{
	{"nginx", "127.0.0.1:18101", func(b *bench) []string {
		return []string{"nginx", "-p", b.temp, "-c", filepath.Join(b.root, folder, "nginx.conf")}
	}},
	{"haproxy", "127.0.0.1:18102", func(b *bench) []string {
		return []string{"haproxy", "-db", "-f", filepath.Join(b.root, folder, "haproxy.cfg")}
	}},
	{"portico", "127.0.0.1:18103", func(b *bench) []string {
		return []string{
			b.portico, "run", "--config", filepath.Join(b.root, folder, "portico.yaml"),
			"--admin", "off", "--socket", filepath.Join(b.temp, "portico.sock"), "--state", filepath.Join(b.temp, "state"),
		}
	}},
}

// The ports of the target: where it counts, and where it answers.
var targetPorts = []string{"19100", "19101", "19102"}

// bench is one run over all arms.
type bench struct {
	options
	temp, root string
	seats      rig.Seats
	figures    map[string]map[string][]float64 // by arm and entrant, one for each round
	out        map[string]string               // why an entrant takes no part
}

func newBench(ctx context.Context, o options, temp string, missing []string) (*bench, error) {
	for _, need := range []string{"gcc", "wrk", "taskset"} {
		if slices.Contains(missing, need) {
			return nil, fmt.Errorf("nothing measured: no %s (Debian: apt-get install %s)", need, packages[need])
		}
	}
	b := &bench{options: o, temp: temp, figures: map[string]map[string][]float64{}, out: map[string]string{}}
	var err error
	if b.seats, err = rig.ChooseSeats(o.nice); err != nil {
		return nil, err
	}
	if b.root, err = os.Getwd(); err != nil {
		return nil, err
	}
	if b.portico, err = filepath.Abs(o.portico); err != nil {
		return nil, err
	}
	if _, err := os.Stat(b.portico); err != nil {
		b.out["portico"] = "no " + b.portico + "; run make build"
	}
	for _, e := range entrants {
		switch {
		case slices.Contains(missing, e.name):
			b.out[e.name] = "it is not installed (Debian: apt-get install " + packages[e.name] + ")"
		case len(o.only) > 0 && !slices.Contains(o.only, e.name):
			b.out[e.name] = "it was not asked for"
		}
	}
	return b, rig.Compile(ctx, "bench/l7/target/target.c", filepath.Join(temp, "target"))
}

// all measures every arm and prints what came out.
func (b *bench) all(ctx context.Context) error {
	target, err := rig.Start(b.temp, "target", b.seats.Load, append([]string{"./target"}, targetPorts...)...)
	if err != nil {
		return err
	}
	defer target.Stop()
	if err := answers(ctx, target, "127.0.0.1:"+targetPorts[1]); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	fmt.Printf("%d rounds of %v in turn; kernel %s, %s, %s; proxy on core %d, loader and targets on core %d\n",
		b.rounds, b.length, rig.Kernel(), runtime.GOARCH, rig.Congestion(), b.seats.Proxy.Core, b.seats.Load.Core)
	for _, a := range arms {
		if len(b.arms) > 0 && !slices.Contains(b.arms, a.name) {
			continue
		}
		if err := b.arm(ctx, a); err != nil {
			return err
		}
		b.table(os.Stdout, a)
	}
	for _, e := range entrants {
		if why := b.out[e.name]; why != "" {
			fmt.Printf("  %s: n/a: %s\n", e.name, why)
		}
	}
	fmt.Println()
	fmt.Println(b.line())
	return nil
}

// arm measures every entrant in turn, round after round, so that what else the
// machine does falls on all alike; each round begins with another one. Who fails
// once is left alone from then on.
func (b *bench) arm(ctx context.Context, a arm) error {
	b.figures[a.name] = map[string][]float64{}
	for round := range b.rounds {
		for i := range entrants {
			e := entrants[(i+round)%len(entrants)]
			if b.out[e.name] != "" {
				continue
			}
			figure, err := b.measure(ctx, a, e)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				b.out[e.name] = err.Error()
				continue
			}
			b.figures[a.name][e.name] = append(b.figures[a.name][e.name], figure)
			fmt.Fprintf(os.Stderr, "%-5s round %d of %d  %-8s %8.2f %s\n", a.name, round+1, b.rounds, e.name, figure, a.unit)
		}
	}
	return nil
}

// warmUp is how long the loader runs before anything is measured.
const warmUp = time.Second

// measure starts an entrant afresh, warms it up, and returns the CPU time of a unit.
func (b *bench) measure(ctx context.Context, a arm, e entrant) (float64, error) {
	if err := rig.Vacant(ctx, e.address); err != nil {
		return 0, err
	}
	p, err := rig.Start(b.temp, e.name, b.seats.Proxy, e.command(b)...)
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	if err := answers(ctx, p, e.address); err != nil {
		return 0, err
	}
	if _, err := b.load(ctx, a, e, warmUp); err != nil {
		return 0, err
	}
	before, err := rig.Used(p.Family())
	if err != nil {
		return 0, err
	}
	units, err := b.load(ctx, a, e, b.length)
	if err != nil {
		return 0, err
	}
	after, err := rig.Used(p.Family())
	if err != nil {
		return 0, fmt.Errorf("it ended under load: %w: %s", err, p.Said())
	}
	return (after.CPU - before.CPU).Seconds() * 1e6 / float64(units) * a.perUnit, nil
}

// answersMax is how long a process may take until it answers.
const answersMax = 10 * time.Second

// answers waits until the target answers at an address.
func answers(ctx context.Context, p *rig.Process, address string) error {
	ctx, cancel := context.WithTimeout(ctx, answersMax)
	defer cancel()
	for {
		err := ask(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-p.Done:
			return fmt.Errorf("it ended at once: %s", p.Said())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ask(ctx context.Context, address string) error {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("GET /close HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

var (
	requestsRE = regexp.MustCompile(`(\d+) requests in `)
	troubleRE  = regexp.MustCompile(`Socket errors: .*|Non-2xx.*`)
)

// load has wrk ask through an entrant, and returns how many answers it got.
func (b *bench) load(ctx context.Context, a arm, e entrant, length time.Duration) (int64, error) {
	cmd := b.seats.Load.Command(ctx, "wrk", "-t1", "-c"+strconv.Itoa(a.connections),
		"-d"+strconv.Itoa(int(length.Seconds()))+"s", "http://"+e.address+a.path)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err := b.seats.Load.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	m := requestsRE.FindStringSubmatch(out.String())
	switch trouble := troubleRE.FindString(out.String()); {
	case err != nil:
		return 0, fmt.Errorf("wrk: %w: %s", err, rig.LastLine([]byte(out.String())))
	case trouble != "":
		return 0, errors.New(trouble)
	case m == nil || m[1] == "0":
		return 0, errors.New("wrk got no answer")
	}
	return strconv.ParseInt(m[1], 10, 64)
}
