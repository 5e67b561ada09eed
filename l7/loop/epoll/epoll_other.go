//go:build !linux

package epoll

import (
	"errors"
	"fmt"

	"portico/l7/loop"
)

// New says that there is no epoll here.
func New() (loop.Poller, error) {
	return nil, fmt.Errorf("epoll: %w: only Linux has it", errors.ErrUnsupported)
}
