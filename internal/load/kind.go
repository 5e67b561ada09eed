package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"portico/internal/netx"
)

// Kind says what became of a request.
type Kind string

// The kinds. OK is the only good one, and Aborted is neither.
const (
	OK             Kind = "ok"
	Aborted        Kind = "aborted"         // the run was ended
	NotSent        Kind = "not-sent"        // its turn came too late; all connections were taken
	DNSError       Kind = "dns-error"       // the name has no address, or the servers say so
	DNSTimeout     Kind = "dns-timeout"     // no server answered
	ConnectRefused Kind = "connect-refused" // nobody listens
	ConnectTimeout Kind = "connect-timeout" // no answer to SYN
	Reset          Kind = "reset"           // the connection was reset
	TLS            Kind = "tls"             // the handshake failed, or its certificate
	Timeout        Kind = "timeout"         // connected, but no whole answer in time
	EOF            Kind = "eof"             // the connection ended before an answer
	ShortBody      Kind = "short-body"      // the body ended before it was whole
	Status5xx      Kind = "status-5xx"
	Status4xx      Kind = "status-4xx"
	Other          Kind = "other"
)

// phase is how far a request came.
type phase int

const (
	resolving phase = iota
	connecting
	securing
	asking // request sent, head awaited
	reading
)

// classify names an error by what a person would look for. The context is the
// run's: when it ended, nothing else counts.
func classify(ctx context.Context, at phase, err error) Kind {
	switch {
	case ctx.Err() != nil:
		return Aborted
	case at == resolving:
		return dnsKind(err)
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		if at == connecting {
			return ConnectTimeout
		}
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectRefused
	case at == connecting && errors.Is(err, syscall.ETIMEDOUT):
		return ConnectTimeout
	case netx.IsReset(err):
		return Reset
	case isTLS(err):
		return TLS
	case isEnd(err) && at == reading:
		return ShortBody
	case isEnd(err):
		return EOF
	case at == securing:
		return TLS
	default:
		return Other
	}
}

func dnsKind(err error) Kind {
	var dns *net.DNSError
	if errors.Is(err, errNoServer) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &dns) && dns.IsTimeout {
		return DNSTimeout
	}
	return DNSError
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.As(err, &unknown) || errors.As(err, &host)
}

// statusKind is what a whole answer with this status counts as.
func statusKind(status int) Kind {
	switch {
	case status >= 500:
		return Status5xx
	case status >= 400:
		return Status4xx
	default:
		return OK
	}
}
