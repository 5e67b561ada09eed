package bgp

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// ttlOneHop is sent to a router on a link: what comes from further away cannot have
// it (RFC 5082), and routers that do not look take it as well.
const ttlOneHop = 255

// classControl is the class of traffic that routers give BGP themselves: CS6.
const classControl = 0xc0

// prepare sets the options of a socket before it connects.
func prepare(c peerConfig, raw syscall.RawConn) error {
	var err error
	controlled := raw.Control(func(fd uintptr) { err = options(int(fd), c) })
	return errors.Join(controlled, err)
}

func options(fd int, c peerConfig) error {
	ttl := ttlOneHop
	if c.hops > 0 {
		ttl = c.hops
	}
	var errs [4]error
	if c.address.Is4() {
		errs[0] = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, ttl)
		errs[1] = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, classControl)
	} else {
		errs[0] = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, ttl)
		errs[1] = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, classControl)
	}
	if c.link != "" && !c.address.IsLinkLocalUnicast() {
		errs[2] = unix.BindToDevice(fd, c.link)
	}
	if c.password != "" {
		errs[3] = sign(fd, c)
	}
	return errors.Join(errs[:]...)
}

// sign asks the kernel to sign segments to the router and to refuse others from it
// (RFC 2385).
func sign(fd int, c peerConfig) error {
	s := unix.TCPMD5Sig{Keylen: uint16(len(c.password))}
	if copy(s.Key[:], c.password) < len(c.password) {
		return fmt.Errorf("tcp-md5: the password has %d bytes, of %d that fit", len(c.password), len(s.Key))
	}
	if c.address.Is4() {
		s.Addr.Family = unix.AF_INET
		a := c.address.As4()
		copy(s.Addr.Data[2:], a[:]) // after the port of struct sockaddr_in
	} else {
		s.Addr.Family = unix.AF_INET6
		a := c.address.As16()
		copy(s.Addr.Data[6:], a[:]) // after port and flow of struct sockaddr_in6
	}
	if err := unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &s); err != nil {
		return fmt.Errorf("tcp-md5: %w", err)
	}
	return nil
}
