//go:build !linux

package arp

import (
	"errors"
	"net/netip"
)

// available says whether this system can announce on a link.
const available = false

func linkOf(string, netip.Addr) (link, error) { return nil, errors.ErrUnsupported }
