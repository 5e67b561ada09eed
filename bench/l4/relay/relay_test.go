//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/config"
	"portico/node"
)

// The line has the form that is remembered, and says n/a where there is no figure.
func TestRelayLine(t *testing.T) {
	b := &bench{out: map[string]string{}, figures: map[string]map[string][]float64{
		"conn": {"portico": {9, 11, 10}, "haproxy": {20}},
		"req":  {"portico": {1, 3}, "haproxy": {2, 2}},
		"byte": {"portico": {1}},
	}}
	if got, want := b.line(), "l4 relay: cpu/conn haproxy=0.50 cpu/req haproxy=1.00 cpu/byte haproxy=n/a"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
	b.out["haproxy"] = "it failed"
	if got, want := b.line(), "l4 relay: cpu/conn haproxy=n/a cpu/req haproxy=n/a cpu/byte haproxy=n/a"; got != want {
		t.Errorf("line = %q, want %q", got, want)
	}
}

// Everyone listens where the bench looks and sends to the same two targets, and
// Portico's spec has no problem.
func TestRelayFiles(t *testing.T) {
	t.Chdir("../../..")
	b := &bench{root: "."}
	for _, e := range entrants {
		command := e.command(b)
		at := ""
		for _, arg := range command {
			if strings.HasPrefix(arg, folder) {
				at = arg
			}
		}
		text, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{strings.TrimPrefix(e.address, "127.0.0.1:"), "127.0.0.1:" + targetPorts[1], "127.0.0.1:" + targetPorts[2]} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not name %s", at, want)
			}
		}
	}
	sources, err := config.ReadPath(filepath.Join(folder, "portico.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, report := node.Load(sources, ""); len(report.Problems()) > 0 {
		t.Errorf("portico.yaml: %+v", report.Problems()[0])
	}
}
