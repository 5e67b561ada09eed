package dns

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"portico/dns/wire"
)

// sharesUDP says that several sockets share an address and the kernel spreads
// the datagrams over them.
const sharesUDP = true

const (
	// batch is how many datagrams one system call may receive or send.
	batch = 32
	// queryMax is the longest datagram that is read; a longer one is no query.
	queryMax = 2048
	// emptyMax is how many batches are answered at the end: more than a socket's
	// buffer holds, and few enough that clients who go on asking keep no socket open.
	emptyMax = 512
	// udpPause is how long a socket rests after an error nobody expects.
	udpPause = 10 * time.Millisecond
)

func listenUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		ctl := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(ctl, err)
	}}
	c, err := config.ListenPacket(context.Background(), network(addr.Addr()), addr.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// udpLoop answers the datagrams of one socket, a batch at a time. The kernel
// writes each client's address where the reply takes it from, so that Go never
// looks at it but for the policies.
type udpLoop struct {
	r    *responder
	raw  syscall.RawConn
	in   [batch]mmsghdr
	out  [batch]mmsghdr
	inv  [batch]unix.Iovec
	outv [batch]unix.Iovec
	from [batch]unix.RawSockaddrInet6
	msg  [batch][queryMax]byte
	rep  [batch][wire.SizeMax]byte

	n, sent int           // received; sent of what is to be
	errno   syscall.Errno // of the last call
}

func serveUDP(c *net.UDPConn, r *responder, log *slog.Logger) {
	raw, err := c.SyscallConn()
	if err != nil {
		log.Error("dns socket", "error", err)
		return
	}
	newLoop(raw, r).serve(log)
}

func newLoop(raw syscall.RawConn, r *responder) *udpLoop {
	l := &udpLoop{r: r, raw: raw}
	for i := range batch {
		l.inv[i].Base = &l.msg[i][0]
		l.inv[i].SetLen(queryMax)
		l.in[i].hdr.Iov = &l.inv[i]
		l.in[i].hdr.SetIovlen(1)
		l.in[i].hdr.Name = (*byte)(unsafe.Pointer(&l.from[i]))
		l.outv[i].Base = &l.rep[i][0]
		l.out[i].hdr.Iov = &l.outv[i]
		l.out[i].hdr.SetIovlen(1)
	}
	return l
}

// serve answers until the socket is closed or its read deadline is set, which
// means: answer what has been received, and end.
func (l *udpLoop) serve(log *slog.Logger) {
	receive, send := l.receive, l.send // a method value allocates: once
	failing := false
	for {
		err := l.raw.Read(receive)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			l.empty(send)
		}
		if err != nil {
			return
		}
		if l.errno != 0 {
			if !failing {
				log.Error("dns receive", "error", l.errno)
			}
			<-time.NewTimer(udpPause).C
		} else {
			l.flush(send, l.answer())
		}
		failing = l.errno != 0
	}
}

// empty answers what waits in the socket.
func (l *udpLoop) empty(send func(uintptr) bool) {
	more := true
	for n := 0; more && n < emptyMax; n++ {
		err := l.raw.Control(func(fd uintptr) { more = l.receive(fd) && l.errno == 0 })
		if more = more && err == nil; more {
			l.flush(send, l.answer())
		}
	}
}

// receive takes in what is there, or says that the poller should wait.
func (l *udpLoop) receive(fd uintptr) bool {
	for i := range l.in {
		l.in[i].hdr.Namelen = unix.SizeofSockaddrInet6
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&l.in[0])), batch, unix.MSG_DONTWAIT, 0, 0)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false
	}
	l.n, l.errno = int(n), errno
	return true
}

// answer prepares the replies to what was received and returns their number.
func (l *udpLoop) answer() int {
	due := 0
	for i := range l.n {
		msg := l.msg[i][:l.in[i].len]
		if l.in[i].hdr.Flags&unix.MSG_TRUNC != 0 {
			msg = msg[:0] // counted, and dropped
		}
		reply := l.r.udp(l.rep[due][:0], msg, source(&l.from[i]))
		if len(reply) == 0 {
			continue
		}
		l.outv[due].SetLen(len(reply))
		l.out[due].hdr.Name = l.in[i].hdr.Name
		l.out[due].hdr.Namelen = l.in[i].hdr.Namelen
		due++
	}
	return due
}

// flush sends the replies. One that cannot be sent is left out: the client asks
// again.
func (l *udpLoop) flush(send func(uintptr) bool, due int) {
	l.n = due
	for l.sent = 0; l.sent < due; {
		if err := l.raw.Write(send); err != nil {
			return
		}
	}
}

func (l *udpLoop) send(fd uintptr) bool {
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&l.out[l.sent])), uintptr(l.n-l.sent), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		l.sent += int(n)
	case unix.EAGAIN:
		return false
	case unix.EINTR:
	default:
		l.sent++ // the first one is at fault
	}
	return true
}

// source is the client's address, as the kernel wrote it.
func source(sa *unix.RawSockaddrInet6) netip.Addr {
	if sa.Family == unix.AF_INET {
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(sa)).Addr)
	}
	return netip.AddrFrom16(sa.Addr).Unmap()
}
