//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"portico/bench/rig"
)

// readyMax is how long a process may take until it answers.
const readyMax = 10 * time.Second

// ready waits until the process answers as it should.
func (a ask) ready(ctx context.Context, p *rig.Process, address string) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	var last error
	for {
		_, err := a.alone(ctx, address)
		select {
		case <-p.Done: // whoever answered was another
			return fmt.Errorf("it ended at once: %s", p.Said())
		default:
		}
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer as it should: %w", last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
