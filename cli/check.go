package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portico/config"
	"portico/node"
	"portico/spec"
)

func checkVerb(io Streams) *cobra.Command {
	var self, path, output string
	var rights bool
	c := &cobra.Command{
		Use:   "check PATH...",
		Short: "Find every problem in a spec, without touching anything",
		Long: `Check reads spec files, or folders of them, as one document and prints every
problem with its place, what is wrong, and what would be right. With --needs it
also lists the capabilities that each node needs, and what for. That depends on
what carries flows, as a node is told by run --datapath: say the same here.

Exit codes: 0 the spec can be applied, 2 it has problems.`,
		Args: atLeastOne("the spec's files or folders"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkDatapath(path); err != nil {
				return err
			}
			if rights && output != "" {
				return refusal{errors.New("--needs and -o exclude each other; what nodes need is listed for people alone")}
			}
			sources, err := readAll(args)
			if err != nil {
				return err
			}
			want, report := node.LoadBy(sources, spec.NodeName(self), spec.Datapath(path))
			if output == "json" {
				err = writeJSON(io.Out, report.Problems())
			} else {
				err = writeReport(io, report, args)
			}
			if report.Fatal() {
				return refusal{errSaid}
			}
			if err == nil && rights {
				err = writeNeeds(io.Out, want, spec.NodeName(self), spec.Datapath(path))
			}
			return err
		},
	}
	c.Flags().StringVar(&self, "node", "", "check as this node would; the first of the spec when not given")
	c.Flags().BoolVar(&rights, "needs", false, "list the capabilities that nodes need")
	datapathFlag(c, &path)
	outputFlag(c, &output)
	return c
}

// writeNeeds lists what one node, or each of a spec, needs of root's power.
func writeNeeds(w io.Writer, want *spec.Spec, self spec.NodeName, path spec.Datapath) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, site := range want.Sites {
		for _, n := range site.Nodes {
			if self != "" && n.Name != self {
				continue
			}
			needs := node.Needs(want, n.Name, path)
			for _, need := range needs {
				_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", n.Name, need.Capability, need.For)
			}
			if len(needs) == 0 {
				_, _ = fmt.Fprintf(t, "%s\tnone\t\n", n.Name)
			}
		}
	}
	return t.Flush()
}

func writeReport(io Streams, report *config.Report, args []string) error {
	if err := report.Write(io.Err); err != nil {
		return err
	}
	if report.Fatal() {
		return nil
	}
	_, err := fmt.Fprintf(io.Out, "%s: ok\n", strings.Join(args, ", "))
	return err
}

// readAll reads the sources at several paths.
func readAll(paths []string) ([]spec.Source, error) {
	var all []spec.Source
	for _, path := range paths {
		sources, err := config.ReadPath(path)
		if err != nil {
			return nil, refusal{err}
		}
		all = append(all, sources...)
	}
	return all, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// outputFlag adds -o, whose only value is json.
func outputFlag(c *cobra.Command, output *string) {
	c.Flags().StringVarP(output, "output", "o", "", "json for machines; text for people when not given")
	c.PreRunE = func(*cobra.Command, []string) error {
		if *output != "" && *output != "json" {
			return refusal{fmt.Errorf("-o %s: unknown output; use json, or leave it out", *output)}
		}
		return nil
	}
}

func atLeastOne(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return refusal{fmt.Errorf("%s takes %s; see %s --help", c.CommandPath(), what, c.CommandPath())}
		}
		return nil
	}
}
