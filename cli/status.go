package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"portico/spec/status"
)

func statusVerb(io Streams) *cobra.Command {
	var socket, output string
	var watch, all bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what runs here: nodes, names, listeners, targets and their health",
		Long: `Status asks every portico of this user on this machine. Where several nodes
watch the same targets, their views are merged and disagreement is shown.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			show := func(w widthWriter) error {
				nodes, err := statusOf(c.Context(), socket)
				if err != nil {
					return err
				}
				if output == "json" {
					return writeJSON(w, nodes)
				}
				return writeStatus(w, nodes, all)
			}
			if watch && output != "" {
				return refusal{errors.New("--watch and -o exclude each other; ask again and again for a program")}
			}
			if watch {
				return watchStatus(c.Context(), io, show)
			}
			return show(widthWriter{io.Out, width(io.Out)})
		},
	}
	c.Flags().BoolVarP(&watch, "watch", "w", false, "show it anew every second until interrupted")
	c.Flags().BoolVarP(&all, "all", "a", false, "also show what the tiers watch of each other: l7 nodes and VIPs")
	socketFlag(c, &socket)
	outputFlag(c, &output)
	return c
}

// widthWriter is a writer and how many columns a line of it may have.
type widthWriter struct {
	io.Writer
	width int
}

// unbounded is the width of what is not a terminal: a program, or a file.
const unbounded = 1 << 20

// width is that of the terminal; COLUMNS overrides it, and gives one to a pipe.
func width(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return unbounded
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func statusOf(ctx context.Context, socket string) ([]status.Node, error) {
	clients, err := every(ctx, socket)
	if err != nil {
		return nil, err
	}
	var nodes []status.Node
	var failed error
	for _, c := range clients {
		some, err := c.Status(ctx)
		failed = errors.Join(failed, err)
		nodes = append(nodes, some...)
	}
	if len(nodes) > 0 {
		return nodes, nil
	}
	return nil, failed
}

// watchStatus redraws in place, so that the screen does not flicker.
func watchStatus(ctx context.Context, streams Streams, show func(widthWriter) error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var b strings.Builder
		if err := show(widthWriter{&b, width(streams.Out)}); err != nil {
			return err
		}
		const home, clearRight, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
		text := strings.ReplaceAll(fit(b.String(), height(streams.Out)), "\n", clearRight+"\n")
		if _, err := fmt.Fprint(streams.Out, home+text+clearBelow); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// height is that of the terminal, or without bound where there is none.
func height(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if _, n, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return unbounded
}

// fit cuts text to a number of lines, the last of which says how many are left
// out and has no line feed, so that nothing scrolls.
func fit(text string, height int) string {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) <= height {
		return text
	}
	kept := max(0, height-1)
	return strings.Join(lines[:kept], "") + fmt.Sprintf("… %d more lines", len(lines)-1-kept)
}
