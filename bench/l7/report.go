//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// describe says what is measured where, before it takes its time.
func (b *bench) describe() {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	fmt.Printf("HTTP/1.1 keep-alive, 1 KiB bodies, %d connections, two targets; %d rounds of %v each, in turn\n", b.connections, b.rounds, b.length)
	fmt.Printf("kernel %s, %s; proxy on core %d, loader and targets on core %d\n",
		strings.TrimSpace(string(kernel)), runtime.GOARCH, b.cores.proxy, b.cores.load)
	for _, c := range b.contestants {
		if c.version != "" {
			fmt.Printf("  %-8s %s\n", c.name, c.version)
		}
	}
	if !b.counts {
		fmt.Println("  instructions are not counted: no perf, or the machine has no counters")
	}
}

// report prints the table of medians, and last the ratios.
func (b *bench) report(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "\nmedian\tCPU µs/req\tmin–max\tuser\tsystem\tinsn user\tinsn kernel\treq/s\tcore\tRSS MiB\terrors\t")
	for _, c := range b.contestants {
		s := b.results[c.name]
		lowest, highest := spread(s)
		_, _ = fmt.Fprintf(t, "%s\t%.2f\t%.2f–%.2f\t%.2f\t%.2f\t%s\t%s\t%.0f\t%.0f %%\t%.1f\t%d\t\n",
			c.name, median(s, cpu), lowest, highest,
			median(s, func(s sample) float64 { return s.user }),
			median(s, func(s sample) float64 { return s.system }),
			instructions(median(s, func(s sample) float64 { return s.insnUser })),
			instructions(median(s, func(s sample) float64 { return s.insnKernel })),
			median(s, func(s sample) float64 { return s.rate }),
			median(s, func(s sample) float64 { return s.busy })*100,
			median(s, func(s sample) float64 { return float64(s.memory) })/(1<<20),
			failures(s))
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w, "direct: the cost of the target itself, without a proxy")
	for _, c := range b.contestants {
		s := b.results[c.name]
		if n := failures(s); n > 0 {
			_, _ = fmt.Fprintf(w, "%s FAILED %d requests: its figures are not to be compared\n", c.name, n)
		}
		if busy := median(s, func(s sample) float64 { return s.busy }); len(c.command) > 0 && busy < 0.9 {
			_, _ = fmt.Fprintf(w, "%s used %.0f %% of its core: something else held it up\n", c.name, busy*100)
		}
	}
	_, _ = fmt.Fprintln(w, b.ratios())
}

// ratios is the one line that is remembered: Portico's CPU per request over that
// of each peer.
func (b *bench) ratios() string {
	over := func(peer string) string {
		own, theirs := b.results["portico"], b.results[peer]
		if len(own) == 0 || len(theirs) == 0 || failures(own)+failures(theirs) > 0 {
			return "n/a"
		}
		return fmt.Sprintf("%.2f", median(own, cpu)/median(theirs, cpu))
	}
	return fmt.Sprintf("l7 h1 1KiB c%d: cpu/req haproxy=%s nginx=%s", b.connections, over("haproxy"), over("nginx"))
}

func cpu(s sample) float64 { return s.cpu }

// median is the middle of the samples, the mean of both where there are two.
func median(samples []sample, of func(sample) float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

func spread(samples []sample) (lowest, highest float64) {
	for i, s := range samples {
		if i == 0 || s.cpu < lowest {
			lowest = s.cpu
		}
		highest = max(highest, s.cpu)
	}
	return lowest, highest
}

func failures(samples []sample) int64 {
	var n int64
	for _, s := range samples {
		n += s.errors
	}
	return n
}

func instructions(n float64) string {
	if n < 0 {
		return "n/a"
	}
	return fmt.Sprintf("%.1fk", n/1000)
}
