//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// packages are the Debian packages that hold the programs we use.
var packages = map[string]string{
	"gcc":     "gcc libc6-dev",
	"h2load":  "nghttp2-client",
	"haproxy": "haproxy",
	"nginx":   "nginx-light",
	"perf":    "linux-perf",
	"taskset": "util-linux",
	"wrk":     "wrk",
}

// provide installs what is missing, if it may, and returns what is missing still.
func provide(ctx context.Context, install bool) []string {
	missing := lacking()
	if len(missing) == 0 {
		return nil
	}
	aptGet, err := exec.LookPath("apt-get")
	if !install || os.Getuid() != 0 || err != nil {
		return missing
	}
	var names []string
	for _, m := range missing {
		names = append(names, strings.Fields(packages[m])...)
	}
	fmt.Fprintf(os.Stderr, "bench-l7: installing %s\n", strings.Join(names, " "))
	err = apt(ctx, aptGet, "update")
	if err == nil {
		err = apt(ctx, aptGet, append([]string{"install", "-y", "--no-install-recommends"}, names...)...)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench-l7: apt-get: %v\n", err)
	}
	return lacking()
}

func lacking() []string {
	var missing []string
	for program := range packages {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	slices.Sort(missing)
	return missing
}

func apt(ctx context.Context, aptGet string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, aptGet, args...)
	// The level 1 keeps the packages' own scripts from starting services.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, lastLine(out))
	}
	return nil
}

func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// build compiles the target.
func build(ctx context.Context, binary string) error {
	source := filepath.Join(folder, "target", "target.c")
	out, err := exec.CommandContext(ctx, "gcc", "-O2", "-o", binary, source).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc: %s: %w: %s", source, err, out)
	}
	return nil
}
