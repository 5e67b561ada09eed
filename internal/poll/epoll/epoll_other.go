//go:build !linux

package epoll

import (
	"errors"
	"fmt"

	"portico/internal/poll"
)

// New says that there is no epoll here.
func New() (poll.Poller, error) {
	return nil, fmt.Errorf("epoll: %w: only Linux has it", errors.ErrUnsupported)
}
