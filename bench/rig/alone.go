//go:build linux

package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockEvery is how often a run that waits for another looks.
const lockEvery = 200 * time.Millisecond

// Alone waits until no other run is on this machine: they have the same ports and
// cores. The lock ends with unlock, or with the process. One that Apart started is
// under the lock of who did.
func Alone(ctx context.Context, path string) (unlock func(), err error) {
	if isApart() {
		return func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for said := false; ; said = true {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case !said:
			fmt.Fprintln(os.Stderr, "bench: waiting for another run on this machine")
		}
		if err := Pause(ctx, lockEvery); err != nil {
			_ = f.Close()
			return nil, errors.New("interrupted")
		}
	}
}

// Vacant reports that someone else listens where a contestant is to: it would
// answer in its place.
func Vacant(ctx context.Context, address string) error {
	d := net.Dialer{Timeout: time.Second}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil //nolint:nilerr // nobody is there
	}
	_ = c.Close()
	return fmt.Errorf("another process listens on %s", address)
}
