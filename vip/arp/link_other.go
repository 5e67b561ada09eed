//go:build !linux

package arp

import (
	"errors"
	"net/netip"
	"time"
)

// available says whether this system can announce on a link.
const available = false

func linkOf(string, netip.Addr) (link, error) { return nil, errors.ErrUnsupported }

// bootTime is not asked where nothing is announced.
func bootTime() time.Duration { return 0 }
