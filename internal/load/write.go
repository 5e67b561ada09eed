package load

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

const (
	width      = 80
	serversOf  = 20 // servers that are written; a report as JSON has all
	percentage = 100
)

// Write writes the report for people, in 80 columns.
func (r Report) Write(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", clip(r.URL, width))
	fmt.Fprintf(&b, "%d requests in %.1f s, %d/s wanted\n", r.OK+r.Failed, r.Seconds, r.Rate)
	fmt.Fprintf(&b, "%d clients opened %d connections\n", r.Clients, r.Opened)
	l := r.Latency
	fmt.Fprintf(&b, "\nlatency   %9s %9s %9s %9s %9s %9s\n", "mean", "p50", "p90", "p99", "p99.9", "max")
	fmt.Fprintf(&b, "          %9s %9s %9s %9s %9s %9s\n", ms(l.Mean), ms(l.P50), ms(l.P90), ms(l.P99), ms(l.P999), ms(l.Max))

	fmt.Fprintf(&b, "\nok        %9d%s\n", r.OK, share(r.OK, r.OK+r.Failed))
	fmt.Fprintf(&b, "failed    %9d%s\n", r.Failed, share(r.Failed, r.OK+r.Failed))
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "  %-15s %d, due from %.1f s to %.1f s\n", f.Kind, f.Count, f.First, f.Last)
		if f.Example != "" {
			fmt.Fprintf(&b, "    %s\n", clip(f.Example, width-4))
		}
	}
	if r.Retried > 0 {
		fmt.Fprintf(&b, "retried   %9d   a kept connection was closed; sent again on a new one\n", r.Retried)
	}
	if r.Aborted > 0 {
		fmt.Fprintf(&b, "aborted   %9d   under way when the run was ended\n", r.Aborted)
	}
	r.writeWhere(&b)
	_, err := w.Write(b.Bytes())
	return err
}

// writeWhere says which addresses were asked and who answered.
func (r Report) writeWhere(b *bytes.Buffer) {
	total := r.OK + r.Failed
	if len(r.Addresses) > 0 {
		b.WriteString("\naddress\n")
	}
	for _, a := range r.Addresses {
		fmt.Fprintf(b, "  %-39s %9d%s", clip(a.Address, 39), a.Requests, share(a.Requests, total))
		if a.Failed > 0 {
			fmt.Fprintf(b, " %9d failed", a.Failed)
		}
		b.WriteByte('\n')
	}
	if len(r.Servers) > 0 {
		b.WriteString("\nserver\n")
	}
	for i, s := range r.Servers {
		if i == serversOf {
			fmt.Fprintf(b, "  and %d more\n", len(r.Servers)-i)
			break
		}
		fmt.Fprintf(b, "  %-39s %9d%s\n", clip(s.Name, 39), s.Requests, share(s.Requests, total))
	}
	if r.DNS.Lookups > 0 {
		fmt.Fprintf(b, "\ndns       %9d lookups, %d failed; %d times a server was mute\n",
			r.DNS.Lookups, r.DNS.Failed, r.DNS.Unanswered)
	}
}

// ms writes milliseconds with three digits that count.
func ms(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.2f s", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f ms", v)
	case v >= 10:
		return fmt.Sprintf("%.1f ms", v)
	default:
		return fmt.Sprintf("%.2f ms", v)
	}
}

// share writes a part of a whole in percent, or nothing where there is no whole.
func share(part, whole uint64) string {
	if whole == 0 {
		return ""
	}
	p := percentage * float64(part) / float64(whole)
	if part > 0 && part < whole {
		p = min(max(p, 0.01), 99.99) // never hide the last one in a rounded number
	}
	return fmt.Sprintf(" %6.2f %%", p)
}

// clip shortens what a server or user chose to one line of printable text.
func clip(s string, columns int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return s
}
