// Package transport says how connections to the targets of a group are made.
//
// What comes in: what a target group asks for. What goes out: one immutable
// Transport for as long as the group asks for the same, whose pointer tells
// connections apart that must not be used for one another; and, for each target,
// the configuration its TLS handshakes use. It opens no socket.
//
// Start reading at Transport.
package transport

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/netip"

	"portico/internal/netx"
)

// Protocol is what is spoken on a connection to a target.
type Protocol uint8

// The protocols.
const (
	HTTP1 Protocol = iota
	HTTP2          // agreed on by ALPN, or without TLS known beforehand
	Auto           // HTTP/2 where ALPN agrees on it; everywhere else HTTP/1.1
)

// alpn lists what is offered in a handshake, the best first.
func (p Protocol) alpn() []string {
	switch p {
	case HTTP2:
		return []string{"h2"}
	case Auto:
		return []string{"h2", "http/1.1"}
	default:
		return []string{"http/1.1"}
	}
}

// Options are what New needs.
type Options struct {
	// TLS is how targets are greeted; nil means in plain text. New takes it over.
	// Without a ServerName the one of For is verified, or else the target's
	// address.
	TLS      *tls.Config
	Protocol Protocol
	// NameFromHost makes For give each host of a request its own Transport, with
	// that host as the name that is asked for and verified.
	NameFromHost bool
	// NoResumption makes every handshake a whole one.
	NoResumption bool
	// Socket are the options of the sockets.
	Socket netx.Options
}

// Transport is how connections of a target group are made. It is immutable. The
// nil Transport is HTTP/1.1 in plain text. A connection made by one Transport is
// never used for another: pools keep them by address and Transport.
type Transport struct {
	o       Options
	configs memo[netip.AddrPort, *tls.Config]
	names   memo[string, *Transport]
}

// The most that a Transport remembers; beyond, it forgets all and begins anew.
// A group has fewer targets, and a client that invents hosts pays for a
// handshake with each.
const (
	configsMax = 4096
	namesMax   = 256
)

// New returns a transport.
func New(o Options) *Transport {
	if o.TLS != nil {
		o.TLS.NextProtos = o.Protocol.alpn()
	}
	return &Transport{o: o}
}

// Protocol is what is spoken, or may be agreed on.
func (t *Transport) Protocol() Protocol {
	if t == nil {
		return HTTP1
	}
	return t.o.Protocol
}

// Socket are the options of its sockets.
func (t *Transport) Socket() netx.Options {
	if t == nil {
		return netx.Options{}
	}
	return t.o.Socket
}

// For is the transport of a request for a host (with or without port): t itself,
// unless it takes the name of the target's certificate from there.
func (t *Transport) For(host []byte) *Transport {
	if t == nil || !t.o.NameFromHost || t.o.TLS == nil {
		return t
	}
	var room [nameMax]byte
	name := hostname(room[:0], host)
	if named := t.names.all()[string(name)]; named != nil {
		return named // without making a string of it
	}
	return t.names.get(namesMax, string(name), func(name string) *Transport {
		o := t.o
		o.TLS, o.NameFromHost = t.o.TLS.Clone(), false
		o.TLS.ServerName = name
		return &Transport{o: o}
	})
}

// nameMax is how long a name in DNS is at most (RFC 1035, section 2.3.4). What is
// longer is the name of nothing.
const nameMax = 255

// hostname appends a host without its port and in lower case.
func hostname(dst, host []byte) []byte {
	if i := bytes.LastIndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	host = bytes.TrimSuffix(host, []byte("."))
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if len(host) > nameMax {
		return dst
	}
	for _, c := range host {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// Config is how to greet the target at an address; nil means in plain text. It is
// the same value for the same address, so that sessions are resumed there, and
// must not be changed.
func (t *Transport) Config(to netip.AddrPort) *tls.Config {
	if t == nil || t.o.TLS == nil {
		return nil
	}
	return t.configs.get(configsMax, to, func(to netip.AddrPort) *tls.Config {
		c := t.o.TLS.Clone()
		if c.ServerName == "" {
			c.ServerName = to.Addr().String() // verified, but never sent (RFC 6066, section 3)
		}
		if !t.o.NoResumption {
			// Its own: targets behind one name need not share the keys of tickets.
			c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		}
		return c
	})
}

// NoFile reports whether a target was not reached because this process, or the machine,
// has no file left for a connection.
func NoFile(err error) bool { return netx.NoFile(err) }

// HandshakeError is that a target was reached and could not be greeted. It reads
// "TLS handshake with 10.0.0.7:443: tls: failed to verify certificate: …".
type HandshakeError struct {
	To  netip.AddrPort
	Err error
}

// Error says of which target it is, and why.
func (e *HandshakeError) Error() string { return fmt.Sprintf("TLS handshake with %s: %v", e.To, e.Err) }

// Unwrap is why.
func (e *HandshakeError) Unwrap() error { return e.Err }
