//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// table prints the medians of an arm, with the least and the most.
func (b *bench) table(w io.Writer, a arm) {
	_, _ = fmt.Fprintf(w, "\n%s: %s\n", a.name, a.title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "\t%s\tmin–max\tportico ÷ it\t\n", a.unit)
	for _, e := range entrants {
		if f := b.figures[a.name][e.name]; len(f) > 0 {
			_, _ = fmt.Fprintf(t, "%s\t%.2f\t%.2f–%.2f\t%s\t\n", e.name, median(f), slices.Min(f), slices.Max(f), b.ratio(a, e.name))
		}
	}
	_ = t.Flush()
}

// line is the figures as they are remembered: Portico's over HAProxy's.
func (b *bench) line() string {
	var line strings.Builder
	line.WriteString("l4 relay:")
	for _, a := range arms {
		fmt.Fprintf(&line, " cpu/%s haproxy=%s", a.name, b.ratio(a, "haproxy"))
	}
	return line.String()
}

// ratio is Portico's median over that of another, where both are there.
func (b *bench) ratio(a arm, other string) string {
	own, its := median(b.figures[a.name]["portico"]), median(b.figures[a.name][other])
	if own == 0 || its == 0 || b.out["portico"] != "" || b.out[other] != "" {
		return "n/a"
	}
	return fmt.Sprintf("%.2f", own/its)
}

// median is the middle of the values, the mean of both where there are two; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
