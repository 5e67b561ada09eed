// Package handover is how a process is told to end for a successor, such as its
// own next version: the context that it runs by ends with Err as its cause. Each
// tier asks (Asked) when its context has ended, and leaves what the next process
// takes over instead of draining or putting it back. It waits for nothing and
// decides nothing; what stays, each tier says itself.
package handover

import (
	"context"
	"errors"
)

// Err is the cause that a context is ended with for a successor.
var Err = errors.New("a successor takes over")

// Asked reports whether a context has ended, and ended for a successor.
func Asked(ctx context.Context) bool { return errors.Is(context.Cause(ctx), Err) }
