package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"portico/client"
	"portico/control/api"
	"portico/internal/handover"
	"portico/node"
	"portico/spec"
)

// runFlags are the flags of run.
type runFlags struct {
	config, self, admin, socket string
	listen, driver              string
	datapath, state             string
	to                          []string
	logFormat, logLevel         string
}

func runVerb(io Streams) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run one node of a spec, or a proxy without any file",
		Long: `Run serves as one node of a spec until it is told to stop, and then drains.

  portico run --config edge.yaml --node edge-1
  portico run --listen :8080 --to 127.0.0.1:3000 --to 127.0.0.1:3001

A changed file, SIGHUP and portico apply each bring a new spec, which is served
whole or, when anything is wrong with it, not at all. SIGTERM drains within the
bound of the spec (drain: 30s); a second one ends it at once. SIGUSR2 ends it
for a successor: nothing is drained; flows in the kernel (datapath xdp) and routes
that routers keep over a restart stay, flows in sockets are reset.

Exit codes: 0 drained or handed over, 1 it could not start or serve, 2 the spec has problems.`,
		Args: exactly(0, "only flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := newLog(io, f.logFormat, f.logLevel)
			if err != nil {
				return err
			}
			source, err := f.source()
			if err != nil {
				return err
			}
			if err := errors.Join(checkDriver(f.driver), checkDatapath(f.datapath)); err != nil {
				return err
			}
			return serve(c.Context(), io, f, source, log)
		},
	}
	c.Flags().StringVar(&f.config, "config", "", "the spec: a file, or a folder of them")
	c.Flags().StringVar(&f.self, "node", "", "the node to be; may be left out when the spec has one")
	c.Flags().StringVar(&f.listen, "listen", "", "without a spec: where to listen for HTTP, such as :8080")
	c.Flags().StringArrayVar(&f.to, "to", nil, "without a spec: a target to send to; may be repeated")
	c.Flags().StringVar(&f.admin, "admin", "127.0.0.1:9900", "where to serve metrics and status, read-only, on loopback; off for none")
	c.Flags().StringVar(&f.driver, "driver", "", "how to wait for sockets: "+strings.Join(node.Drivers(), " or ")+"; the first that the system has when not given")
	datapathFlag(c, &f.datapath)
	c.Flags().StringVar(&f.state, "state", "", "folder for what the next process must know; when not given $STATE_DIRECTORY, /var/lib/portico for root, else in the user's")
	c.Flags().StringVar(&f.socket, "socket", "", "control socket; in a folder of this user when not given")
	c.Flags().StringVar(&f.logFormat, "log", "text", "format of the log on standard error: text or json")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return c
}

// source says where the spec comes from: a path, or the flags themselves.
func (f runFlags) source() (source, error) {
	switch {
	case f.config != "" && (f.listen != "" || len(f.to) > 0):
		return source{}, refusal{errors.New("--config and --listen/--to exclude each other; a spec names its listeners and targets itself")}
	case f.config != "":
		return fileSource(f.config), nil
	case f.listen != "" && len(f.to) > 0:
		return quickSource(f.listen, f.to)
	}
	return source{}, refusal{errors.New("nothing to run; use --config FILE, or --listen :8080 --to 127.0.0.1:3000")}
}

// checkDriver refuses a driver that there is not; "" is the best of the system.
func checkDriver(name string) error {
	if name == "" || slices.Contains(node.Drivers(), name) {
		return nil
	}
	return refusal{fmt.Errorf("--driver %s: unknown driver; use %s", name, strings.Join(node.Drivers(), " or "))}
}

// datapathFlag adds --datapath, of what checkDatapath takes.
func datapathFlag(c *cobra.Command, path *string) {
	c.Flags().StringVar(path, "datapath", "", "what carries flows here: relay, xdp or auto; what the spec says for the site when not given")
}

// checkDatapath refuses a datapath that there is not; "" leaves it to the spec.
func checkDatapath(d string) error {
	switch spec.Datapath(d) {
	case "", spec.DatapathRelay, spec.DatapathXDP, spec.DatapathAuto:
		return nil
	}
	return refusal{fmt.Errorf("--datapath %s: unknown datapath; use relay, xdp or auto", d)}
}

// stateDir is the folder for what outlives the process. systemd sets STATE_DIRECTORY
// to those that it made for a unit (StateDirectory= in systemd.exec(5)).
func (f runFlags) stateDir() string {
	home := os.Getenv("XDG_STATE_HOME")
	unit, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	switch {
	case f.state != "":
		return f.state
	case unit != "":
		return unit
	case os.Geteuid() == 0:
		return "/var/lib/portico"
	case home == "":
		home = filepath.Join(os.Getenv("HOME"), ".local", "state")
	}
	return filepath.Join(home, "portico")
}

// serve runs one node until ctx ends.
func serve(ctx context.Context, io Streams, f runFlags, from source, log *slog.Logger) error {
	ctx, stop := endedBySuccessor(ctx)
	defer stop()
	outliveReaders()
	lower(log)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h, err := newHost(io, from, node.Options{
		Name: spec.NodeName(f.self), Log: log, Driver: f.driver, AccessLog: io.Out, Metrics: registry,
		Datapath: spec.Datapath(f.datapath), State: f.stateDir(),
	})
	if err != nil {
		return err
	}
	settle(log, h.needs(spec.Datapath(f.datapath)))
	admin := api.New(api.Options{Host: h, Metrics: registry, Log: log})
	closeAdmin, err := openAdmin(ctx, admin, f, string(h.node.Name()), log)
	if err != nil {
		return err
	}
	defer closeAdmin()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go h.watch(ctx, hangup) // a node that drains takes no other spec

	log.Info("serving", "node", h.node.Name())
	err = h.node.Run(ctx)
	log.Info("stopped", "node", h.node.Name())
	return err
}

// endedBySuccessor is a context that SIGUSR2 ends too, for a process that takes over;
// after another end, and a second time, that does nothing.
func endedBySuccessor(ctx context.Context) (ending context.Context, stop func()) {
	ending, end := context.WithCancelCause(ctx)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR2)
	go func() {
		select {
		case <-asked:
			end(handover.Err)
		case <-ending.Done():
		}
	}()
	return ending, func() { signal.Stop(asked); end(nil) }
}

// openAdmin opens the control socket and the admin address. They answer until
// they are closed, through a drain that began with the end of ctx.
func openAdmin(ctx context.Context, admin *api.API, f runFlags, name string, log *slog.Logger) (closeAll func(), err error) {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	socket := f.socket
	if socket == "" {
		if err := client.Own(client.SocketDir()); err != nil {
			stop()
			return nil, err
		}
		socket = filepath.Join(client.SocketDir(), name+".sock")
	}
	socketClosed, err := admin.ServeSocket(serving, socket)
	if err != nil {
		stop()
		return nil, err
	}
	addressClosed := func() error { return nil }
	if f.admin != "off" {
		if addressClosed, err = admin.ServeTCP(serving, f.admin); err != nil {
			stop()
			return nil, errors.Join(err, socketClosed())
		}
		log.Info("admin address", "address", f.admin)
	}
	return func() {
		stop()
		if err := errors.Join(socketClosed(), addressClosed()); err != nil {
			log.Error("admin", "error", err)
		}
	}, nil
}

// outliveReaders keeps the process alive when nobody reads its log or access log
// any more: writing them fails then, and what is served is not their affair.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }

// newLog makes the log of a process.
func newLog(io Streams, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, refusal{fmt.Errorf("--log-level %s: unknown level; use debug, info, warn or error", level)}
	}
	o := &slog.HandlerOptions{Level: l}
	switch strings.ToLower(format) {
	case "text":
		return slog.New(slog.NewTextHandler(io.Err, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(io.Err, o)), nil
	}
	return nil, refusal{fmt.Errorf("--log %s: unknown format; use text or json", format)}
}

var (
	_ api.Host       = (*host)(nil)
	_ node.Explainer = (*client.Client)(nil)
)
