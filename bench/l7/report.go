//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"portico/bench/rig"
)

// table prints the medians of an arm.
func (b *bench) table(w io.Writer, a *arm) {
	_, _ = fmt.Fprintf(w, "\n%s: %s\n", a.name, a.title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "\t%s\tmin–max\tuser\tsystem\tinsn user\tkernel\trate/s\tcore\tMiB\terrors\t\n", a.unit)
	results := b.results[a.name]
	for _, e := range a.entrants {
		s := results[e.row].samples
		if len(s) == 0 {
			continue
		}
		lowest, highest := spread(s)
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s–%s\t%.1f\t%.1f\t%s\t%s\t%.0f\t%.0f %%\t%.1f\t%d\t\n",
			e.row, number(figure(s)), number(lowest), number(highest),
			median(s, func(s sample) float64 { return s.User }),
			median(s, func(s sample) float64 { return s.System }),
			instructions(median(s, func(s sample) float64 { return s.InsnUser })),
			instructions(median(s, func(s sample) float64 { return s.InsnKernel })),
			median(s, func(s sample) float64 { return s.Rate }),
			busy(s)*100,
			median(s, func(s sample) float64 { return float64(s.Memory) })/(1<<20),
			failures(s))
	}
	_ = t.Flush()
	for _, remark := range b.remarks(a) {
		_, _ = fmt.Fprint(w, wrap(remark))
	}
}

// columns is the width that is printed in.
const columns = 100

// wrap breaks text into lines that are indented.
func wrap(text string) string {
	var out strings.Builder
	const indent, deeper = "  ", "    "
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len(line) > len(deeper) && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns {
			out.WriteString(line + "\n")
			line = deeper
		}
		if line != indent && line != deeper {
			line += " "
		}
		line += word
	}
	out.WriteString(line + "\n")
	return out.String()
}

// remarks are what one must know to read the table.
func (b *bench) remarks(a *arm) []string {
	var list []string
	results := b.results[a.name]
	for _, e := range a.entrants {
		r := results[e.row]
		switch {
		case r.reason != "":
			list = append(list, fmt.Sprintf("%s: n/a: %s", e.row, r.reason))
		case a.rate() && e.program != "direct" && busy(r.samples) < 0.9:
			list = append(list, fmt.Sprintf("%s used %.0f %% of its core: the loader or something else held it up", e.row, busy(r.samples)*100))
		}
	}
	if bound := b.bounds[a.name]; bound != "" {
		list = append(list, bound)
	}
	return list
}

// lines prints what is remembered.
func (b *bench) lines(w io.Writer) {
	_, _ = fmt.Fprintln(w)
	for _, a := range b.arms {
		if a.line != "" {
			_, _ = fmt.Fprintln(w, b.line(a))
		}
	}
}

// line is the figures of an arm as they are remembered: Portico's over each peer's.
func (b *bench) line(a *arm) string {
	var line strings.Builder
	line.WriteString(a.line)
	for _, r := range a.ratios {
		line.WriteString(" " + r.label + "=" + r.value(b.results[a.name]))
	}
	return line.String()
}

// value is the ratio of two medians, where all is well.
func (r ratio) value(results map[string]*result) string {
	own := results[r.of]
	if own == nil || own.reason != "" || len(own.samples) == 0 {
		return "n/a"
	}
	if r.over == "" {
		return number(figure(own.samples))
	}
	other := results[r.over]
	if other == nil || other.reason != "" || len(other.samples) == 0 || figure(other.samples) <= 0 {
		return "n/a"
	}
	return fmt.Sprintf("%.2f", figure(own.samples)/figure(other.samples))
}

// failure is the error of a run in which Portico failed requests.
func (b *bench) failure() error {
	var n int64
	for _, a := range b.arms {
		for _, e := range a.entrants {
			if e.program == "portico" {
				n += failures(b.results[a.name][e.row].samples)
			}
		}
	}
	if n > 0 {
		return fmt.Errorf("portico failed %d requests", n)
	}
	return nil
}

// number writes a figure with the digits that mean something.
func number(n float64) string {
	switch {
	case n >= 1000 || n <= -1000:
		return fmt.Sprintf("%.0f", n)
	case n >= 100 || n <= -100:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}

func instructions(n float64) string {
	if n < 0 {
		return "n/a"
	}
	return fmt.Sprintf("%.1fk", n/1000)
}

// What writeJSON writes.
type (
	runJSON struct {
		Kernel     string            `json:"kernel"`
		Arch       string            `json:"arch"`
		ProxyCore  int               `json:"proxyCore"`
		LoaderCore int               `json:"loaderCore"`
		Congestion string            `json:"congestion"`
		Rounds     int               `json:"rounds"`
		For        string            `json:"for"`
		Counts     bool              `json:"instructionsCounted"`
		Versions   map[string]string `json:"versions"`
		Arms       []armJSON         `json:"arms"`
	}
	armJSON struct {
		Name    string    `json:"name"`
		Title   string    `json:"title"`
		Unit    string    `json:"unit"`
		Rows    []rowJSON `json:"rows"`
		Remarks []string  `json:"remarks,omitempty"`
		Line    string    `json:"line,omitempty"`
	}
	rowJSON struct {
		Name    string   `json:"name"`
		Median  *float64 `json:"median"` // null where there is none
		Reason  string   `json:"reason,omitempty"`
		Samples []sample `json:"samples"`
	}
)

// writeJSON writes everything that was measured.
func (b *bench) writeJSON(w io.Writer) error {
	out := runJSON{
		Kernel: rig.Kernel(), Arch: runtime.GOARCH, ProxyCore: b.seats.Proxy.Core, LoaderCore: b.seats.Load.Core, Congestion: rig.Congestion(),
		Rounds: b.rounds, For: b.length.String(), Counts: b.counts, Versions: map[string]string{},
	}
	for name, c := range b.contestants {
		if c.version != "" {
			out.Versions[name] = c.version
		}
	}
	for _, a := range b.arms {
		o := armJSON{Name: a.name, Title: a.title, Unit: a.unit, Remarks: b.remarks(a)}
		if a.line != "" {
			o.Line = b.line(a)
		}
		for _, e := range a.entrants {
			r := b.results[a.name][e.row]
			row := rowJSON{Name: e.row, Reason: r.reason, Samples: append([]sample{}, r.samples...)}
			if len(r.samples) > 0 {
				m := figure(r.samples)
				row.Median = &m
			}
			o.Rows = append(o.Rows, row)
		}
		out.Arms = append(out.Arms, o)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
