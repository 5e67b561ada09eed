//go:build linux

package main

import (
	"bytes"
	"context"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// counter is a perf that counts instructions of processes.
type counter struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

const events = "instructions:u,instructions:k"

// count attaches perf to the processes.
func count(ctx context.Context, pids []int) (*counter, error) {
	list := make([]string, len(pids))
	for i, pid := range pids {
		list[i] = strconv.Itoa(pid)
	}
	c := &counter{cmd: exec.CommandContext(ctx, "perf", "stat", "-x,", "-e", events, "-p", strings.Join(list, ","))}
	c.cmd.Stderr = &c.out
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	time.Sleep(300 * time.Millisecond) // it does not say when it has attached
	return c, nil
}

// stop returns the instructions counted.
func (c *counter) stop() (user, kernel float64) {
	_ = c.cmd.Process.Signal(syscall.SIGINT)
	_ = c.cmd.Wait()
	return readCounts(c.out.String())
}

// readCounts reads the comma-separated output of perf stat; -1 is what was not counted.
func readCounts(out string) (user, kernel float64) {
	user, kernel = -1, -1
	for line := range strings.SplitSeq(out, "\n") {
		fields := strings.Split(line, ",")
		if len(fields) < 3 {
			continue
		}
		n, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			continue
		}
		switch fields[2] {
		case "instructions:u":
			user = n
		case "instructions:k":
			kernel = n
		}
	}
	return user, kernel
}

// canCount tries perf on nothing: many virtual machines have no counters.
func canCount(ctx context.Context) bool {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "perf", "stat", "-x,", "-e", events, "true")
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil {
		return false
	}
	user, kernel := readCounts(out.String())
	return user > 0 && kernel > 0
}
