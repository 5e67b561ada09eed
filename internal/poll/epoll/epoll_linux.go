package epoll

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"portico/internal/poll"
)

// batchMax is how many events one call takes.
const batchMax = 256

// Poller is a poll.Poller of one epoll.
type Poller struct {
	fd    int
	file  *os.File // of fd, for the runtime to watch
	raw   syscall.RawConn
	wake  int // an eventfd
	armed time.Time

	batch [batchMax]unix.EpollEvent
	n     int
	again func(fd uintptr) bool // made once, so that waiting does not allocate
}

// New returns a poller. It fails where the system has no epoll, or none
// that the runtime can watch; the error then is errors.ErrUnsupported.
func New() (poll.Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	// The runtime watches only what is non-blocking.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p := &Poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), wake: -1}
	if err := p.open(); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return p, nil
}

func (p *Poller) open() (err error) {
	if err := p.file.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("%w: the runtime cannot watch it: %w", errors.ErrUnsupported, err)
	}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return err
	}
	if p.wake, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return err
	}
	p.again = func(uintptr) bool {
		p.n = p.take()
		return p.n > 0
	}
	return p.Add(p.wake, wakeToken)
}

// wakeToken is no token of an engine's, whose ages begin at 1.
const wakeToken = 0

// Add watches a socket.
func (p *Poller) Add(fd int, t poll.Token) error {
	e := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(uint32(t)), Pad: int32(uint32(t >> 32)),
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return fmt.Errorf("epoll: %w", errno)
	}
	return nil
}

// Remove needs to do nothing: a socket that is closed is not watched any more.
func (p *Poller) Remove(int, poll.Token) {}

// Wait fills events.
func (p *Poller) Wait(events []poll.Event, block bool, until time.Time) int {
	if p.n = p.take(); p.n == 0 && block {
		p.park(until)
	}
	n := 0
	for i := range p.n {
		e := &p.batch[i]
		t := poll.Token(uint32(e.Fd)) | poll.Token(uint32(e.Pad))<<32
		if t == wakeToken {
			p.drain()
			continue
		}
		events[n] = poll.Event{Token: t, Ready: ready(e.Events)}
		n++
	}
	return n
}

// park waits for the first event, or until a time.
func (p *Poller) park(until time.Time) {
	switch {
	case until.IsZero() || !p.armed.IsZero() && !until.Before(p.armed):
		// An earlier wake is left alone: most times are only pushed back.
	default:
		p.armed = until
		_ = p.file.SetReadDeadline(until) // it did once
	}
	if err := p.raw.Read(p.again); err != nil {
		// The time has passed.
		p.armed = time.Time{}
		_ = p.file.SetReadDeadline(p.armed)
	}
}

// take asks for events without waiting.
func (p *Poller) take() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.batch[0])), batchMax, 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

func ready(events uint32) (r poll.Ready) {
	if events&unix.EPOLLIN != 0 {
		r |= poll.In
	}
	if events&unix.EPOLLOUT != 0 {
		r |= poll.Out
	}
	// A read ends at an urgent byte too, though there is more after it.
	if events&(unix.EPOLLRDHUP|unix.EPOLLPRI) != 0 {
		r |= poll.In | poll.Ended
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLPRI|unix.EPOLLHUP|unix.EPOLLERR) == unix.EPOLLRDHUP {
		r |= poll.Last
	}
	if events&(unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		r |= poll.In | poll.Out | poll.Ended | poll.Gone
	}
	return r
}

// Wake ends a Wait. It is raw as all calls are here: a call that the scheduler is told of
// wakes its monitor, which then looks around every 20 µs for a while.
func (p *Poller) Wake() {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.wake), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one)) // full means that it is awake already
}

func (p *Poller) drain() {
	var count uint64
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(p.wake), uintptr(unsafe.Pointer(&count)), unsafe.Sizeof(count))
}

// Close closes the epoll.
func (p *Poller) Close() error {
	if p.wake >= 0 {
		_ = unix.Close(p.wake)
	}
	return p.file.Close()
}
