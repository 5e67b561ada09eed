package relay

import (
	"golang.org/x/sys/unix"

	"portico/l4/relay/pipe"
)

// splice carries what the source has through a pipe, without copying it to the
// process, or turns to buffers where that is better.
func (p *pump) splice() bool {
	if p.pipe = p.flow().loop.pipes.Get(); p.pipe == nil {
		p.bulk = false
		return true
	}
	n, errno := splice(p.from.fd, p.pipe.W, pipe.Size)
	if errno == 0 && n > 0 {
		p.piped = n
		p.bulk = n >= bufferSize
		return p.empty()
	}
	p.drop()
	switch {
	case errno == unix.EAGAIN && !p.from.ended:
		p.from.in = false
		return false
	case errno == unix.EINTR:
	case errno == 0, errno == unix.EAGAIN, errno == unix.EINVAL, errno == unix.ENOSYS:
		// Nothing is there, or it has ended, or an urgent byte is next, which only a read
		// goes by; or the kernel takes no such pipe.
		p.bulk = false
	default:
		p.flow().settle(p, fromReset)
	}
	return true
}

// empty moves what the pipe has to where it goes.
func (p *pump) empty() bool {
	for p.piped > 0 {
		p.to.hasten()
		n, errno := splice(p.pipe.R, p.to.fd, p.piped)
		switch errno {
		case 0:
			p.piped -= n
			*p.moved += int64(n)
		case unix.EINTR:
		case unix.EAGAIN:
			p.to.out = false
			return false
		default:
			p.drop()
			p.flow().settle(p, toReset)
			return true
		}
	}
	p.drop()
	return true
}

func splice(from, to, most int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(most), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(n), errno
}

// isGone reports whether the other side is dead: it reset the connection, or the
// kernel gave it up. An end is no death.
func isGone(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}

// unsent reports whether bytes wait to be taken by a side that still may.
func unsent(fd int) bool {
	waiting, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	return err == nil && waiting > 0 && !isGone(fd)
}
