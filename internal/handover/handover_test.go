package handover_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"portico/internal/handover"
)

// TestAsked proves that a tier learns of a successor from a context that ended, and
// from one made of it, and takes no other end for that.
func TestAsked(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(cancel context.CancelCauseFunc)
		want bool
	}{
		{"running", func(context.CancelCauseFunc) {}, false},
		{"told to stop", func(cancel context.CancelCauseFunc) { cancel(nil) }, false},
		{"another reason", func(cancel context.CancelCauseFunc) { cancel(errors.New("hangup")) }, false},
		{"for a successor", func(cancel context.CancelCauseFunc) { cancel(handover.Err) }, true},
		{"with more words", func(cancel context.CancelCauseFunc) { cancel(fmt.Errorf("node a: %w", handover.Err)) }, true},
		{"stopped before", func(cancel context.CancelCauseFunc) { cancel(nil); cancel(handover.Err) }, false},
		{"stopped after", func(cancel context.CancelCauseFunc) { cancel(handover.Err); cancel(nil) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			below, stop := context.WithCancel(ctx)
			tt.end(cancel)
			if a, b := handover.Asked(ctx), handover.Asked(below); a != tt.want || b != tt.want {
				t.Errorf("Asked = %v, below it %v, want %v", a, b, tt.want)
			}
			stop()
			cancel(nil)
		})
	}
}
