package engine

import (
	"errors"
	"fmt"
	"strings"

	"portico/internal/poll/epoll"
	"portico/internal/poll/portable"
	"portico/l7/loop"
)

// driver is one way to wait for sockets.
type driver struct {
	name   string
	poller func() (loop.Poller, error)
}

// drivers lists them, the best first.
func drivers() []driver {
	return []driver{
		{"epoll", epoll.New},
		{"portable", func() (loop.Poller, error) { return portable.New(), nil }},
	}
}

// Drivers names the ways to wait for sockets, the best first.
func Drivers() []string {
	var names []string
	for _, d := range drivers() {
		names = append(names, d.name)
	}
	return names
}

// Open opens the driver of a name, or without one the first that the system
// has: another is tried only after a clear no.
func Open(name string, o loop.Options) (loop.Driver, error) {
	for _, d := range drivers() {
		if name != "" && name != d.name {
			continue
		}
		opened, err := New(o, d.poller)
		switch {
		case err == nil:
			return opened, nil
		case name != "" || !errors.Is(err, errors.ErrUnsupported):
			return nil, fmt.Errorf("driver %q: %w", d.name, err)
		}
	}
	return nil, fmt.Errorf("driver %q: no such driver; use one of %s", name, strings.Join(Drivers(), ", "))
}
