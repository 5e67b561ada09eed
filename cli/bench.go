package cli

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico/client"
	"portico/demo"
	"portico/internal/load"
)

// benchFlags are the flags of bench that need reading.
type benchFlags struct {
	dns     []string
	ca      string
	sources string
	output  string
	quiet   bool
}

func benchVerb(io Streams) *cobra.Command {
	var f benchFlags
	var o load.Options
	c := &cobra.Command{
		Use:   "bench",
		Short: "Send requests as many clients would, and count what became of each",
		Long: `Bench asks one URL at a fixed rate. Its clients resolve the name at the DNS
servers given, keep the answer for its TTL, keep connections, and count every
failed request by its kind. Latency counts from when a request was due, so that
a server that stalls cannot hide it.

  portico bench --dns 127.0.1.53:5300,127.0.2.53:5300 \
    --url https://myapp.example.com:8443/ --rate 200 --for 20s

While the demo runs, its CA is trusted and the clients come from 127.0.3.0/24.

Exit codes: 0 no request failed, 1 some did, 2 wrong usage.`,
		Args: exactly(0, "only flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.fill(&o); err != nil {
				return refusal{err}
			}
			return bench(c.Context(), io, o, f)
		},
	}
	c.Flags().StringVar(&o.URL, "url", "", "what to ask for, http or https")
	c.Flags().StringSliceVar(&f.dns, "dns", nil, "DNS servers to resolve the name at, in order; the system's when not given")
	c.Flags().IntVar(&o.Rate, "rate", 100, "requests started a second")
	c.Flags().DurationVar(&o.For, "for", 10*time.Second, "how long to start requests")
	c.Flags().IntVar(&o.Connections, "connections", 0, "requests under way at most; 0 means by the rate")
	c.Flags().IntVar(&o.Clients, "clients", 0, "separate clients that share the rate; 0 means by the sources, or 64")
	c.Flags().StringVar(&f.sources, "sources", "", "network of this machine to spread the clients' addresses over")
	c.Flags().Float64Var(&o.NewConnections, "new-connections", 0, "share of requests on a connection of their own, 0 to 1")
	c.Flags().DurationVar(&o.Timeout, "timeout", 0, "bound of one request; 0 means 10s")
	c.Flags().StringVar(&f.ca, "ca", "", "file of the CA to trust")
	c.Flags().BoolVar(&o.Insecure, "insecure", false, "trust any certificate")
	c.Flags().BoolVar(&o.Cookies, "cookies", false, "keep cookies, as browsers do")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "no progress")
	outputFlag(c, &f.output)
	return c
}

// demoSources are the addresses from which clients of the demo come, so that
// what depends on a client's address has something to depend on.
const demoSources = "127.0.3.0/24"

// fill reads the flags that have a form of their own, and knows the demo's CA
// and sources where it runs and nothing else was asked for.
func (f benchFlags) fill(o *load.Options) error {
	for _, s := range f.dns {
		server, err := netip.ParseAddrPort(s)
		if err != nil {
			addr, e := netip.ParseAddr(s)
			if e != nil {
				return fmt.Errorf("--dns %s: use an address, or one with a port, such as 127.0.1.53:5300", s)
			}
			server = netip.AddrPortFrom(addr, 53)
		}
		o.DNS = append(o.DNS, server)
	}
	ca, sources := f.ca, f.sources
	if path := filepath.Join(client.SocketDir(), "demo", demo.CAFile); ca == "" && !o.Insecure && f.forDemo(o) {
		if _, err := os.Stat(path); err == nil {
			ca = path
		}
	}
	if sources == "" && f.forDemo(o) {
		sources = demoSources
	}
	if sources != "" {
		network, err := netip.ParsePrefix(sources)
		if err != nil {
			return fmt.Errorf("--sources %s: use a network, such as %s", sources, demoSources)
		}
		o.Sources = network
	}
	if ca == "" {
		return nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return fmt.Errorf("--ca: %w", err)
	}
	o.CA = x509.NewCertPool()
	if !o.CA.AppendCertsFromPEM(text) {
		return fmt.Errorf("--ca %s: holds no PEM certificate", ca)
	}
	return nil
}

// forDemo reports whether the DNS servers are the demo's.
func (f benchFlags) forDemo(o *load.Options) bool {
	return slices.ContainsFunc(o.DNS, demo.IsName)
}

func bench(ctx context.Context, io Streams, o load.Options, f benchFlags) error {
	var progress func(load.Snapshot)
	if !f.quiet && f.output == "" {
		progress = showProgress(io.Err, o.For, width(io.Err))
	}
	report, err := load.Run(ctx, o, progress)
	if err != nil {
		return refusal{err}
	}
	if f.output == "json" {
		err = writeJSON(io.Out, report)
	} else {
		err = report.Write(io.Out)
	}
	if err == nil && report.Failed > 0 {
		return errSaid
	}
	return err
}

// showProgress draws one line over itself on a terminal, and writes one every
// few seconds elsewhere.
func showProgress(w io.Writer, span time.Duration, width int) func(load.Snapshot) {
	live := isTerminal(w)
	last := -time.Hour
	return func(s load.Snapshot) {
		if !live && s.Elapsed-last < 5*time.Second {
			return
		}
		last = s.Elapsed
		line := fmt.Sprintf("%4.0fs of %v  %5.0f/s  p99 %.1f ms  %d good  %d failed", s.Elapsed.Seconds(), span, s.Rate, s.Latency.P99, s.OK, s.Failed)
		for _, a := range s.Addresses {
			line += fmt.Sprintf("  %s %d", a.Address, a.Requests)
		}
		line = cut(line, width-1)
		if live {
			line = "\r" + line + strings.Repeat(" ", max(0, width-1-len([]rune(line))))
			if s.Elapsed >= span {
				line += "\n"
			}
		} else {
			line += "\n"
		}
		_, _ = io.WriteString(w, line)
	}
}
