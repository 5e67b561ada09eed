//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// seats are where the proxy runs, alone, and where loader and target do.
type seats struct{ proxy, load seat }

// seat is a core, and the priority there: on a busy machine a proxy would have its
// core for moments only, and cost several times as much.
type seat struct{ core, nice int }

// chooseSeats takes the last and the first of the cores this process may use.
func chooseSeats(nice int) (seats, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return seats{}, fmt.Errorf("asking for the cores: %w", err)
	}
	if os.Getuid() != 0 {
		nice = 0 // it is not for others to raise
	}
	first, last := -1, 0
	for i := range len(set) * 64 {
		if !set.IsSet(i) {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	if first == last {
		fmt.Fprintln(os.Stderr, "bench-l7: there is one core alone: proxy and loader share it, and the figures are worth less")
	}
	return seats{proxy: seat{last, nice}, load: seat{first, nice}}, nil
}

// command is what runs a command there. The programs before it become it, so its
// pid is the command's.
func (s seat) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"-n", strconv.Itoa(s.nice), "taskset", "-c", strconv.Itoa(s.core)}, args...)
	cmd := exec.CommandContext(ctx, "nice", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// start starts what command returned. Linux may share the cores out among sessions
// first (sched(7), autogroup), and then a priority only counts within one.
func (s seat) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	if s.nice != 0 {
		group := fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid)
		_ = os.WriteFile(group, []byte(strconv.Itoa(s.nice)), 0) // older kernels have none
	}
	return nil
}

// process is one program we started.
type process struct {
	pid  int
	log  string
	kill func(syscall.Signal)
	done chan struct{}
}

// start runs a command in the folder of the configurations.
func (b *bench) start(name string, at seat, command ...string) (*process, error) {
	log := filepath.Join(b.temp, name+".log")
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := at.command(context.Background(), command...) // ended by stop
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.temp, out, out
	if err := at.start(cmd); err != nil {
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid, log: log, done: make(chan struct{})}
	p.kill = func(s syscall.Signal) { _ = cmd.Process.Signal(s) }
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// family are the process and its workers.
func (p *process) family() []int { return append([]int{p.pid}, children(p.pid)...) }

// stop ends the process and waits for it.
func (p *process) stop() {
	workers := children(p.pid)
	p.kill(syscall.SIGTERM)
	select {
	case <-p.done:
		return
	case <-time.After(5 * time.Second):
	}
	p.kill(syscall.SIGKILL)
	<-p.done
	for _, pid := range workers { // a killed master does not end them
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// readyMax is how long a process may take until it answers.
const readyMax = 10 * time.Second

// ready waits until the process answers as it should.
func (p *process) ready(ctx context.Context, address string, a ask) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	var last error
	for {
		_, err := a.alone(ctx, address)
		select {
		case <-p.done: // whoever answered was another
			return fmt.Errorf("it ended at once: %s", p.said())
		default:
		}
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer as it should: %w", last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// said is the last line of what the process printed.
func (p *process) said() string {
	out, err := os.ReadFile(p.log)
	if err != nil || len(out) == 0 {
		return "it printed nothing"
	}
	return string(lastLine(out))
}
