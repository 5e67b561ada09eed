package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"portico/client"
	"portico/control/api"
	"portico/demo"
)

func demoVerb(io Streams) *cobra.Command {
	var dir, admin string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run two whole sites on this machine, to look at and to break",
		Long: `Demo runs two sites on loopback addresses: DNS, L4 and L7 nodes, and targets
that say who they are. It needs no root, no config and no internet. From another
terminal, portico status, explain, bench and demo kill show what it does.`,
		Args: exactly(0, "no arguments, or kill PART, or heal PART"),
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" {
				dir = filepath.Join(client.SocketDir(), "demo")
			}
			return runDemo(c.Context(), io, dir, admin)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "folder for keys and logs; beside the control socket when not given")
	c.Flags().StringVar(&admin, "admin", "127.0.0.1:9900", "where to serve metrics and status, read-only; off for none")
	c.AddCommand(
		drillVerb(io, "kill", "End a part of the demo at once: every socket of it is reset", (*client.Client).Kill),
		drillVerb(io, "heal", "Bring back a part of the demo that was killed", (*client.Client).Heal),
	)
	return c
}

func drillVerb(io Streams, verb, short string, do func(*client.Client, context.Context, string) (string, error)) *cobra.Command {
	var socket string
	c := &cobra.Command{
		Use:     verb + " PART",
		Short:   short,
		Example: "  portico demo " + verb + " east/shop-2\n  portico demo " + verb + " east/l7-1\n  portico demo " + verb + " east",
		Args:    exactly(1, "one part, such as east/l7-1, east/shop-2 or east"),
		RunE: func(c *cobra.Command, args []string) error {
			if socket == "" {
				socket = demoSocket()
			}
			done, err := do(client.Unix(socket), c.Context(), args[0])
			if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
				return fmt.Errorf("no demo of this user runs here (%w); start one with portico demo", err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(io.Out, done)
			return err
		},
	}
	socketFlag(c, &socket)
	return c
}

func demoSocket() string { return filepath.Join(client.SocketDir(), "demo.sock") }

func runDemo(ctx context.Context, io Streams, dir, admin string) error {
	d, err := demo.Start(demo.Options{Dir: dir, Events: io.Out})
	if err != nil {
		if refused, ok := errors.AsType[*client.Error](err); ok {
			_, _ = fmt.Fprint(io.Err, refused.Text)
		}
		return err
	}
	outliveReaders()
	a := api.New(api.Options{Host: d, Metrics: d, Log: d.Log()})
	f := runFlags{admin: admin, socket: demoSocket()}
	closeAdmin, err := openAdmin(ctx, a, f, "demo", d.Log())
	if err != nil {
		return errors.Join(err, d.Stop())
	}
	defer closeAdmin()
	if _, err := fmt.Fprint(io.Out, welcome(dir, admin)); err != nil {
		return errors.Join(err, d.Stop())
	}
	<-ctx.Done()
	_, _ = fmt.Fprintln(io.Out, "\nstopping")
	return d.Stop()
}

const demoMap = `
                     who is myapp.example.com?
                                │
            ┌── dns ────────────┴──────────── dns ──┐
     east   │ 127.0.1.53:5300     127.0.2.53:5300  │   west
            └───────────────────┬───────────────────┘
       127.0.1.10  VIP ─────────┴───────── VIP  127.0.2.10
            :8080 http → https   :8443 https   :9000 tcp
                 │                             │
                l4                            l4
               ╱  ╲                          ╱  ╲
           l7-1    l7-2                  l7-1    l7-2
             │ ╲  ╱ │                      │ ╲  ╱ │
         shop-1 … shop-3               shop-1 … shop-3
               │ internal VIP 127.0.1.20     │ 127.0.2.20
           login, cart                   login, cart
`

func welcome(dir, admin string) string {
	var b strings.Builder
	b.WriteString(demoMap)
	ca := filepath.Join(dir, demo.CAFile)
	url := "https://myapp.example.com:8443/"
	b.WriteString("\nTry, from another terminal:\n\n")
	for _, line := range []string{
		"dig @127.0.1.53 -p 5300 +short myapp.example.com",
		"curl --cacert " + ca + " --resolve \"myapp.example.com:8443:$(dig @127.0.1.53 -p 5300 +short myapp.example.com)\" " + url,
		"portico status --watch",
		"portico explain " + url + "api --from 203.0.113.7",
		"portico bench --dns 127.0.1.53:5300,127.0.2.53:5300 --url " + url + " --rate 200 --for 20s",
		"portico demo kill east/l7-1      # or east/shop-2, or all of east; then demo heal",
	} {
		b.WriteString("  " + strings.Replace(line, "portico ", program()+" ", 1) + "\n")
	}
	b.WriteString("\nFiles: " + dir + " (CA, spec, logs)\n")
	if admin != "off" {
		b.WriteString("Metrics and status: http://" + admin + "/metrics, /v1/status\n")
	}
	b.WriteString(missingTools())
	b.WriteString("\nWhat changes is shown here; interrupt to stop.\n\n")
	return b.String()
}

// program is how the one who started this may start it again: by its name where
// that is found, else by the path it was started with.
func program() string {
	if path, err := exec.LookPath("portico"); err == nil && path != "" {
		return "portico"
	}
	return os.Args[0]
}

// missingTools says what to install for what was just suggested.
func missingTools() string {
	var missing, packages []string
	for _, tool := range []struct{ name, pack string }{{"dig", "bind9-dnsutils"}, {"curl", "curl"}} {
		if _, err := exec.LookPath(tool.name); err != nil {
			missing = append(missing, tool.name)
			packages = append(packages, tool.pack)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "Not on this machine: " + strings.Join(missing, ", ") + "; on Debian: apt-get install " + strings.Join(packages, " ") + "\n"
}
