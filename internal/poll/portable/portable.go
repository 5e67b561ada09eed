// Package portable waits for sockets with goroutines that the poller of Go's
// runtime wakes: for systems without epoll, and to check the other against.
//
// What comes in: sockets to watch. What goes out: events for an engine. Each
// socket has two goroutines, one that waits until it can be read and one until it
// can be written; they never touch its bytes.
//
// Start reading at Poller.Add.
package portable

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/poll"
)

// Poller is a poll.Poller of goroutines.
type Poller struct {
	files map[poll.Token]*os.File // of the loop's goroutine
	waits sync.WaitGroup          // the goroutines
	wake  chan struct{}           // has room for one
	timer *time.Timer

	mu     sync.Mutex
	events map[poll.Token]poll.Ready // not told yet
}

// New returns a poller.
func New() *Poller {
	return &Poller{
		files:  map[poll.Token]*os.File{},
		wake:   make(chan struct{}, 1),
		timer:  time.NewTimer(time.Hour),
		events: map[poll.Token]poll.Ready{},
	}
}

// Add watches a socket, by a copy that the runtime watches.
func (p *Poller) Add(fd int, t poll.Token) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("watching a socket: %w", err)
	}
	file := os.NewFile(uintptr(own), "socket")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return fmt.Errorf("watching a socket: %w", err)
	}
	p.files[t] = file
	// Whether the peer ended is not told here, so it always may have.
	p.waits.Go(func() { p.wait(raw.Read, unix.POLLIN, t, poll.In|poll.Ended) })
	p.waits.Go(func() { p.wait(raw.Write, unix.POLLOUT, t, poll.Out) })
	return nil
}

// wait tells each time the socket becomes ready, until its copy is closed.
func (p *Poller) wait(until func(func(uintptr) bool) error, way int16, t poll.Token, r poll.Ready) {
	first := true
	err := until(func(fd uintptr) bool {
		// The first call is made without waiting.
		if has := ready(int(fd), way); !first || has != 0 {
			if has&(unix.POLLERR|unix.POLLHUP) != 0 {
				r |= poll.Gone
			}
			p.tell(t, r)
		}
		first = false
		return false // and on to the next time
	})
	_ = err // the copy is closed
}

// ready is how the socket can be used without waiting; 0 means not at all.
func ready(fd int, way int16) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: way}}
	if _, err := unix.Poll(fds, 0); err != nil {
		return way
	}
	return fds[0].Revents
}

// tell adds to what the next Wait fills.
func (p *Poller) tell(t poll.Token, r poll.Ready) {
	p.mu.Lock()
	p.events[t] |= r
	p.mu.Unlock()
	p.Wake()
}

// Remove stops watching a socket.
func (p *Poller) Remove(_ int, t poll.Token) {
	if f := p.files[t]; f != nil {
		_ = f.Close()
		delete(p.files, t)
	}
}

// Wait fills events.
func (p *Poller) Wait(events []poll.Event, block bool, until time.Time) int {
	if n := p.take(events); n > 0 || !block {
		return n
	}
	var late <-chan time.Time
	if !until.IsZero() {
		p.timer.Reset(time.Until(until))
		late = p.timer.C
	}
	select {
	case <-p.wake:
	case <-late:
	}
	return p.take(events)
}

func (p *Poller) take(events []poll.Event) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t, r := range p.events {
		if n == len(events) {
			break
		}
		events[n] = poll.Event{Token: t, Ready: r}
		n++
		delete(p.events, t)
	}
	return n
}

// Wake ends a Wait.
func (p *Poller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Close ends the goroutines.
func (p *Poller) Close() error {
	for t := range p.files {
		p.Remove(0, t)
	}
	p.waits.Wait()
	p.timer.Stop()
	return nil
}
