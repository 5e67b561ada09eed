// Package cli is what people type: one file per verb.
//
// What comes in: arguments and files. What goes out: a running node, or the
// answer of one. It decides nothing about traffic; it reads a spec with config,
// runs it with node, and asks others with client.
//
// Start reading at all.go.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Streams are where a verb reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// The exit codes of every verb.
const (
	ExitOK      = 0
	ExitFailed  = 1 // it was tried and failed
	ExitRefused = 2 // it was not tried: wrong usage, or a spec with problems
)

// refusal is an error that was explained already, or that is the user's to mend.
type refusal struct{ err error }

func (r refusal) Error() string { return r.err.Error() }
func (r refusal) Unwrap() error { return r.err }

// errSaid ends a verb whose message was printed already.
var errSaid = errors.New("said")

// Main runs one command line and returns the exit code.
func Main(args []string, io Streams, version string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: stop waiting for the drain.
	context.AfterFunc(ctx, stop)

	err := newRoot(io, version, args).ExecuteContext(ctx)
	if err != nil && strings.HasPrefix(err.Error(), "unknown command") {
		err = refusal{err} // cobra's own, which has no type
	}
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errSaid):
	default:
		_, _ = fmt.Fprintln(io.Err, "portico: "+err.Error())
	}
	if _, ok := errors.AsType[refusal](err); ok {
		return ExitRefused
	}
	return ExitFailed
}

func newRoot(io Streams, version string, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "portico",
		Short: "Portico: a name typed by a client reaches a healthy target",
		Long: `Portico is the front of a product in one binary: DNS that answers with the VIP
of a healthy site, an L4 balancer that keeps each flow, an L7 proxy that routes
each request, and one truth about what is healthy.

Begin with:
  portico demo                                      two sites on this machine
  portico run --listen :8080 --to 127.0.0.1:3000    a proxy, no file needed
  portico check examples/edge.yaml                  is this spec right?

Exit codes: 0 done, 1 failed, 2 refused (wrong usage, or a spec with problems).`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetArgs(args)
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetVersionTemplate("portico {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return refusal{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	})
	for _, verb := range verbs() {
		root.AddCommand(verb(io))
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Args = func(_ *cobra.Command, of []string) error {
			_, _, err := root.Find(of)
			return err // else it would print the usage, as if nothing were wrong
		}
	}
	return root
}

// exactly refuses another number of arguments, naming what is expected.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return refusal{fmt.Errorf("%s takes %s; see %s --help", c.CommandPath(), what, c.CommandPath())}
	}
}
