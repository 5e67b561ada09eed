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
)

// contestant is one proxy, or the target without any.
type contestant struct {
	name    string
	address string   // where it listens
	command []string // none for direct
	asks    []string // the command that prints its version
	version string
}

// contestants lists all of them in the order they are measured. Their ports are
// those of the files in this folder, below those that the kernel gives out.
func contestants(portico, temp string) []contestant {
	conf := func(name string) string {
		path, err := filepath.Abs(filepath.Join(folder, name))
		if err != nil {
			return filepath.Join(folder, name)
		}
		return path
	}
	return []contestant{
		{name: "direct", address: "127.0.0.1:19001"},
		{
			name: "nginx", address: "127.0.0.1:18001",
			command: []string{"nginx", "-p", temp, "-c", conf("nginx.conf")},
			asks:    []string{"nginx", "-v"},
		},
		{
			name: "haproxy", address: "127.0.0.1:18002",
			command: []string{"haproxy", "-db", "-f", conf("haproxy.cfg")},
			asks:    []string{"haproxy", "-v"},
		},
		{
			name: "portico", address: "127.0.0.1:18003",
			command: []string{
				portico, "run", "--config", filepath.Join(folder, "portico.yaml"),
				"--admin", "off", "--socket", filepath.Join(temp, "portico.sock"),
			},
			asks: []string{portico, "version"},
		},
	}
}

// ask returns the version of a contestant, or why it cannot take part.
func (c contestant) ask(ctx context.Context) (string, error) {
	if len(c.command) == 0 {
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
		return "", fmt.Errorf("%s: %w: %s", strings.Join(c.asks, " "), err, out)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line), nil
}
