//go:build !linux

package bgp

import (
	"errors"
	"syscall"
)

// prepare leaves sockets as they are here.
func prepare(c peerConfig, _ syscall.RawConn) error {
	if c.password != "" {
		return errors.New("tcp-md5: only Linux signs segments")
	}
	return nil
}
