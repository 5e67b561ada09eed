package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"portico/client"
)

func applyVerb(io Streams) *cobra.Command {
	var socket, output string
	c := &cobra.Command{
		Use:   "apply PATH...",
		Short: "Make the running portico serve another spec, whole or not at all",
		Long: `Apply hands spec files to the portico that runs on this machine. A spec with a
problem is refused, and the one before goes on serving.

Exit codes: 0 applied, 1 it could not be applied, 2 it has problems.`,
		Args: atLeastOne("the spec's files or folders"),
		RunE: func(c *cobra.Command, args []string) error {
			sources, err := readAll(args)
			if err != nil {
				return err
			}
			at, err := one(c.Context(), socket)
			if err != nil {
				return err
			}
			applied, err := at.Apply(c.Context(), sources)
			if err != nil {
				return explainRefusal(io, output, err)
			}
			return writeApplied(io, output, applied)
		},
	}
	socketFlag(c, &socket)
	outputFlag(c, &output)
	return c
}

func explainRefusal(io Streams, output string, err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) {
		return err
	}
	if output == "json" {
		if e := writeJSON(io.Out, refused); e != nil {
			return e
		}
	} else if refused.Text != "" {
		_, _ = fmt.Fprint(io.Err, refused.Text)
	} else {
		return err
	}
	if len(refused.Problems) > 0 {
		return refusal{errSaid}
	}
	return errSaid
}

func writeApplied(io Streams, output string, a client.Applied) error {
	if output == "json" {
		return writeJSON(io.Out, a)
	}
	for _, w := range a.Warnings {
		_, _ = fmt.Fprintf(io.Err, "%s:%d:%d: %s\n", w.File, w.Line, w.Column, w.Problem)
	}
	_, err := fmt.Fprintf(io.Out, "applied; this is generation %d\n", a.Generation)
	return err
}
