//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"portico/bench/rig"
)

// programs are those who are compared, and the target without any of them.
var programs = []string{"direct", "nginx", "haproxy", "portico"}

// packages hold the programs we use.
var packages = rig.Packages{
	"gcc":     "gcc libc6-dev",
	"h2load":  "nghttp2-client",
	"haproxy": "haproxy",
	"nginx":   "nginx-light",
	"perf":    "linux-perf",
	"taskset": "util-linux",
	"wrk":     "wrk",
}

// contestant is one of programs on this machine.
type contestant struct {
	name    string
	asks    []string // the command that prints its version; none for direct
	version string
	missing string // why it cannot take part, or empty
	// command runs it with a configuration, in the folder where that is.
	command func(file string) []string
}

// contestants finds out who is there.
func contestants(ctx context.Context, binary, temp string) map[string]*contestant {
	all := map[string]*contestant{
		"direct": {name: "direct"},
		"nginx": {
			name: "nginx", asks: []string{"nginx", "-v"},
			command: func(file string) []string {
				return []string{"nginx", "-p", temp, "-c", filepath.Join(temp, file)}
			},
		},
		"haproxy": {
			name: "haproxy", asks: []string{"haproxy", "-v"},
			command: func(file string) []string { return []string{"haproxy", "-db", "-f", file} },
		},
		"portico": {
			name: "portico", asks: []string{binary, "version"},
			command: func(file string) []string {
				return []string{binary, "run", "--config", file, "--admin", "off", "--socket", filepath.Join(temp, "portico.sock"), "--state", filepath.Join(temp, "state")}
			},
		},
	}
	for _, c := range all {
		var err error
		if c.version, err = c.ask(ctx); err != nil {
			c.missing = err.Error()
		}
	}
	return all
}

// ask returns the version of a contestant, or why it cannot take part.
func (c *contestant) ask(ctx context.Context) (string, error) {
	if len(c.asks) == 0 {
		return "", nil
	}
	out, err := exec.CommandContext(ctx, c.asks[0], c.asks[1:]...).CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		if c.name == "portico" {
			return "", fmt.Errorf("no %s; run make build", c.asks[0])
		}
		return "", fmt.Errorf("it is not installed (Debian: apt-get install %s)", packages[c.name])
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", strings.Join(c.asks, " "), err, rig.LastLine(out))
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), nil
}
