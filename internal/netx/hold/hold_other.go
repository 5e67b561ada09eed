//go:build !linux

package hold

import (
	"errors"
	"net/netip"
	"time"
)

func put(string, netip.Addr, time.Duration) (bool, error) { return false, errors.ErrUnsupported }

func remove(string, netip.Addr) error { return nil }
