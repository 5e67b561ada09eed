//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

// tallied is what the target counts: proof that requests reached it, and over
// connections that were kept.
type tallied struct{ accepted, answered int64 }

// tally asks the target, at the port where it counts.
func tally(ctx context.Context, port string) (tallied, error) {
	d := net.Dialer{Timeout: 2 * time.Second}
	c, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return tallied{}, fmt.Errorf("target: %w", err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	line, err := io.ReadAll(c)
	if err != nil {
		return tallied{}, fmt.Errorf("target: %w", err)
	}
	return readTally(string(line))
}

func readTally(line string) (tallied, error) {
	var t tallied
	if _, err := fmt.Sscanf(line, "accepted %d answered %d", &t.accepted, &t.answered); err != nil {
		return t, fmt.Errorf("target: it counts %q: %w", line, err)
	}
	return t, nil
}

func (t tallied) since(before tallied) tallied {
	return tallied{t.accepted - before.accepted, t.answered - before.answered}
}

// keptMin is how many requests a connection to the target must have served on
// average. Proxies open one for each client at first, and some later.
const keptMin = 10

// serves reports why what the target counted does not serve so many requests.
func (t tallied) serves(requests int64) error {
	switch {
	case t.answered < requests:
		return fmt.Errorf("the targets answered %d of %d requests", t.answered, requests)
	case t.accepted*keptMin > requests:
		return fmt.Errorf("%d requests took %d connections to the targets: they were not kept", requests, t.accepted)
	}
	return nil
}
