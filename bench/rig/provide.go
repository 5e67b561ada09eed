//go:build linux

package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Packages are the Debian packages that hold the programs a bench uses, by program;
// several are separated by spaces.
type Packages map[string]string

// Provide installs what is missing, if it may, and returns what is missing still.
func (ps Packages) Provide(ctx context.Context, install bool) []string {
	missing := ps.lacking()
	if len(missing) == 0 {
		return nil
	}
	aptGet, err := exec.LookPath("apt-get")
	if !install || os.Getuid() != 0 || err != nil {
		return missing
	}
	var names []string
	for _, m := range missing {
		names = append(names, strings.Fields(ps[m])...)
	}
	fmt.Fprintf(os.Stderr, "bench: installing %s\n", strings.Join(names, " "))
	err = apt(ctx, aptGet, "update")
	if err == nil {
		err = apt(ctx, aptGet, append([]string{"install", "-y", "--no-install-recommends"}, names...)...)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: apt-get: %v\n", err)
	}
	return ps.lacking()
}

func (ps Packages) lacking() []string {
	var missing []string
	for program := range ps {
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
		return fmt.Errorf("%s: %w: %s", args[0], err, LastLine(out))
	}
	return nil
}

// LastLine is the last line of what a program printed.
func LastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// Compile makes a program of a file of C.
func Compile(ctx context.Context, source, binary string) error {
	out, err := exec.CommandContext(ctx, "gcc", "-O2", "-o", binary, source).CombinedOutput()
	if err != nil {
		return fmt.Errorf("gcc: %s: %w: %s", source, err, out)
	}
	return nil
}
