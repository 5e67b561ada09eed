//go:build linux

package rig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Usage is the CPU used so far: precise in sum, user and system in clock ticks.
type Usage struct {
	CPU          time.Duration
	User, System int64
}

// Used adds up processes and all their threads.
func Used(pids []int) (Usage, error) {
	var u Usage
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil || len(tasks) == 0 {
			return u, fmt.Errorf("process %d is gone", pid)
		}
		for _, task := range tasks {
			b, err := os.ReadFile(task)
			if err != nil {
				continue // the thread ended
			}
			first, _, _ := strings.Cut(string(b), " ")
			ns, _ := strconv.ParseInt(first, 10, 64)
			u.CPU += time.Duration(ns)
		}
		if fields := stat(pid); len(fields) > 12 {
			user, _ := strconv.ParseInt(fields[11], 10, 64)
			system, _ := strconv.ParseInt(fields[12], 10, 64)
			u.User += user
			u.System += system
		}
	}
	return u, nil
}

// stat returns the fields of /proc/PID/stat from the third on, after the name,
// which may hold anything.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

// children lists the direct children of a process.
func children(parent int) []int {
	var found []int
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields := stat(pid); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			found = append(found, pid)
		}
	}
	return found
}

var rssRE = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// Memory adds up what the processes have resident.
func Memory(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if m := rssRE.FindSubmatch(b); err == nil && m != nil {
			kib, _ := strconv.ParseInt(string(m[1]), 10, 64)
			sum += kib << 10
		}
	}
	return sum
}
