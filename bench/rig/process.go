//go:build linux

package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Seats are where the proxy runs, alone, and where loader and target do.
type Seats struct{ Proxy, Load Seat }

// Seat is a core, and the priority there: on a busy machine a proxy would have its
// core for moments only, and cost several times as much.
type Seat struct{ Core, Nice int }

// ChooseSeats takes the last and the first of the cores this process may use.
func ChooseSeats(nice int) (Seats, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return Seats{}, fmt.Errorf("asking for the cores: %w", err)
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
		fmt.Fprintln(os.Stderr, "bench: there is one core alone: proxy and loader share it, and the figures are worth less")
	}
	return Seats{Proxy: Seat{last, nice}, Load: Seat{first, nice}}, nil
}

// Command is what runs a command there. The programs before it become it, so its
// pid is the command's.
func (s Seat) Command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"-n", strconv.Itoa(s.Nice), "taskset", "-c", strconv.Itoa(s.Core)}, args...)
	cmd := exec.CommandContext(ctx, "nice", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// Start starts what Command returned. Linux may share the cores out among sessions
// first (sched(7), autogroup), and then a priority only counts within one.
func (s Seat) Start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	if s.Nice != 0 {
		group := fmt.Sprintf("/proc/%d/autogroup", cmd.Process.Pid)
		_ = os.WriteFile(group, []byte(strconv.Itoa(s.Nice)), 0) // older kernels have none
	}
	return nil
}

// Process is one program we started.
type Process struct {
	PID  int
	Done <-chan struct{} // closed when it ended

	log  string
	kill func(syscall.Signal)
}

// Start runs a command in a folder, and writes what it prints to a file there that
// has its name. The caller stops it.
func Start(folder, name string, at Seat, command ...string) (*Process, error) {
	log := filepath.Join(folder, name+".log")
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := at.Command(context.Background(), command...) // ended by Stop
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, out
	if err := at.Start(cmd); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	p := &Process{PID: cmd.Process.Pid, Done: done, log: log}
	p.kill = func(s syscall.Signal) { _ = cmd.Process.Signal(s) }
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return p, nil
}

// Family are the process and its workers.
func (p *Process) Family() []int { return append([]int{p.PID}, children(p.PID)...) }

// Stop ends the process and waits for it.
func (p *Process) Stop() {
	workers := children(p.PID)
	p.kill(syscall.SIGTERM)
	select {
	case <-p.Done:
		return
	case <-time.After(5 * time.Second):
	}
	p.kill(syscall.SIGKILL)
	<-p.Done
	for _, pid := range workers { // a killed master does not end them
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Said is the last line of what the process printed.
func (p *Process) Said() string {
	out, err := os.ReadFile(p.log)
	if err != nil || len(out) == 0 {
		return "it printed nothing"
	}
	return string(LastLine(out))
}

// Pause waits, or returns the error of a context that ends before.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Kernel is the version of the kernel.
func Kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
