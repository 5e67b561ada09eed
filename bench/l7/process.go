//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cores are where the proxy runs, alone, and where loader and target do.
type cores struct{ proxy, load int }

// chooseCores takes the last and the first of the cores this process may use.
func chooseCores() (cores, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cores{}, fmt.Errorf("asking for the cores: %w", err)
	}
	c := cores{load: -1}
	for i := range len(set) * 64 {
		if !set.IsSet(i) {
			continue
		}
		if c.load < 0 {
			c.load = i
		}
		c.proxy = i
	}
	if c.proxy == c.load {
		fmt.Println("bench-l7: there is one core alone: proxy and loader share it, and the figures are worth less")
	}
	return c, nil
}

// process is one program we started.
type process struct {
	pid  int
	log  string
	kill func(syscall.Signal)
	done chan struct{}
}

// start runs a command pinned to a core; taskset becomes the command, so its pid is
// the command's.
func start(core int, log string, command ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command("taskset", append([]string{"-c", strconv.Itoa(core)}, command...)...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
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

// ready waits until the address answers one request as it should.
func (p *process) ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var last error
	for {
		if last = probe(ctx, client, address); last == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended at once: %s", p.said())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w: %s", last, p.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func probe(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/1k", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", resp.StatusCode)
	case len(body) != 1024:
		return errors.New("the body is not of 1 KiB")
	}
	return nil
}

// said is the last line of what the process printed.
func (p *process) said() string {
	out, err := os.ReadFile(p.log)
	if err != nil || len(out) == 0 {
		return "it printed nothing"
	}
	return string(lastLine(out))
}
