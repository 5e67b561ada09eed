package netx

import (
	"net"
	"time"
)

// Options are those of a TCP socket. The zero value is what a socket has that
// nobody asked more of. A system that lacks one of them does without.
type Options struct {
	// Congestion is the algorithm of congestion control, such as "bbr"; empty
	// means the system's. One that the kernel does not grant is not used; see
	// CheckCongestion.
	Congestion string
	// KeepAlive is how long no packet comes until the peer is asked whether it is
	// still there, and how far such probes are apart; 0 means 15 s, a negative
	// value that it is never asked.
	KeepAlive time.Duration
	// UserTimeout is how long what was sent may stay unacknowledged before the
	// connection is given up; 0 means as long as the system says.
	UserTimeout time.Duration
	// MSS bounds the segments both ways; 0 means what the path allows.
	MSS int
	// FastOpen lets data travel with the SYN (RFC 7413): a listening socket takes
	// it, one that connects sends it. The first write of such a connection may
	// then be what fails, where otherwise Dial does.
	FastOpen bool
	// Fragment lets routers cut packets that are too large for a link on the path,
	// instead of relying on them to say so (IPv4 only).
	Fragment bool
	// Backlog bounds the connections of a listening socket that nobody accepted
	// yet; 0 means the most that the system allows.
	Backlog int
	// Nagle leaves a socket that connects without TCP_NODELAY: its caller sets it with
	// NoDelayFD, before a write may follow another.
	Nagle bool
	// Floating lets a listening socket have an address that this machine does not
	// hold now, such as a VIP that another node answers for (Linux only).
	Floating bool
}

// keepAlive notices a peer that vanished without a word, where nobody says else.
const keepAlive = 15 * time.Second

// keepAlive is the interval of probes; 0 means that there are none.
func (o *Options) keepAlive() time.Duration {
	switch {
	case o.KeepAlive < 0:
		return 0
	case o.KeepAlive == 0:
		return keepAlive
	}
	return o.KeepAlive
}

// keepAliveConfig is the same for package net.
func (o *Options) keepAliveConfig() net.KeepAliveConfig {
	every := o.keepAlive()
	return net.KeepAliveConfig{Enable: every > 0, Idle: every, Interval: every}
}

// seconds rounds up, as the kernel wants whole ones and no zero.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
