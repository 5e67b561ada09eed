package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"portico/l4/maglev"
	"portico/l4/xdp"
	"portico/spec"
)

// tables measures tables of so many targets, and returns the line of the largest.
func tables(out io.Writer) (last string, err error) {
	k, err := xdp.Open(xdp.KernelOptions{Flows: 1024})
	if err != nil {
		return "", err
	}
	defer func() { _ = k.Close() }()
	for _, n := range []int{16, 256, 4096} {
		if last != "" {
			_, _ = fmt.Fprintln(out, last)
		}
		if last, err = tablesOf(k, n); err != nil {
			return "", fmt.Errorf("%d targets: %w", n, err)
		}
	}
	return last, nil
}

// tablesOf lets one target after the other leave and come back. Building is of the
// table without it; swapping is handing it to the kernel, all that this does included.
func tablesOf(k *xdp.Kernel, n int) (line string, err error) {
	all := maglev.Generation{Number: 1}
	for i := range n {
		all.Members = append(all.Members, maglev.Member{Name: maglev.Name{Group: "g", Address: address(i, false)}, Weight: 1, Share: 1})
	}
	whole := maglev.Build(all, maglev.Generation{})
	var builds, swaps []time.Duration
	moved := 0
	for i := range runs {
		if _, err := swap(k, whole); err != nil {
			return "", err
		}
		without := maglev.Generation{Number: 2, Members: slices.Delete(slices.Clone(all.Members), i, i+1)}
		start := time.Now()
		made := maglev.Build(without, all)
		builds = append(builds, time.Since(start))
		took, err := swap(k, made)
		if err != nil {
			return "", err
		}
		swaps = append(swaps, took)
		moved += made.Moved()
	}
	slices.Sort(builds)
	slices.Sort(swaps)
	return fmt.Sprintf("l4 maglev %d targets: build=%v swap=%v moved=%.2f%%", n, builds[runs/2].Round(10*time.Microsecond),
		swaps[runs/2].Round(10*time.Microsecond), 100*float64(moved)/(runs*maglev.Slots)), nil
}

func swap(k *xdp.Kernel, to *maglev.Table) (time.Duration, error) {
	listener := xdp.Listener{Name: "bench", VIPs: []netip.AddrPort{vip4}, Proto: xdp.TCP, Forward: spec.ForwardGUE, Table: tableOf(to)}
	start := time.Now()
	err := k.Apply(&xdp.Plan{Listeners: []xdp.Listener{listener}})
	return time.Since(start), err
}
