package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// events shows a person the log's warnings as short lines, and hands everything
// on to the log file.
type events struct {
	slog.Handler
	screen *lockedWriter
	node   string
}

func newEvents(screen io.Writer, file slog.Handler) slog.Handler {
	return &events{Handler: file, screen: &lockedWriter{w: screen}}
}

// Handle writes one event.
func (e *events) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		var b strings.Builder
		fmt.Fprintf(&b, "%s  %-10s %s", r.Time.Format("15:04:05"), e.node, r.Message)
		r.Attrs(func(a slog.Attr) bool {
			fmt.Fprintf(&b, "  %s=%v", a.Key, a.Value)
			return true
		})
		_, _ = fmt.Fprintln(e.screen, b.String()) // a closed terminal is no reason to stop
	}
	return e.Handler.Handle(ctx, r)
}

// WithAttrs keeps the node's name for the short lines.
func (e *events) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *e
	for _, a := range attrs {
		if a.Key == "node" {
			next.node = a.Value.String()
		}
	}
	next.Handler = e.Handler.WithAttrs(attrs)
	return &next
}

// WithGroup keeps the screen.
func (e *events) WithGroup(name string) slog.Handler {
	next := *e
	next.Handler = e.Handler.WithGroup(name)
	return &next
}
