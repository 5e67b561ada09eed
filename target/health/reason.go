package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"
)

// reasonMax bounds a reason in bytes: a target must not write our log and status.
const reasonMax = 200

// fault is what went wrong, and while waiting for what.
type fault struct {
	waiting string // "a connection", "the response"
	err     error
}

func (f *fault) Error() string { return f.waiting + ": " + f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// while names what a probe was waiting for when err came up.
func while(waiting string, err error) error {
	if err == nil {
		return nil
	}
	return &fault{waiting: waiting, err: err}
}

// Reason puts the error of a probe into a few words for people, on one line and
// bounded: "connect refused", "timeout after 2s waiting for the response",
// "status 503, want 200-399". It is empty for nil.
func Reason(err error, timeout time.Duration) string {
	if err == nil {
		return ""
	}
	waiting := "an answer"
	if f, ok := errors.AsType[*fault](err); ok {
		waiting = f.waiting
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connect refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("timeout after %v waiting for %s", timeout, waiting)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset while waiting for " + waiting
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed while waiting for " + waiting
	}
	return bounded(err.Error())
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// bounded makes hostile text fit for one line of a log: printable and short.
func bounded(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= reasonMax {
		return s
	}
	const more = "…"
	cut := reasonMax - len(more)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}
