// Package accesslog writes one line for each request.
//
// What comes in: an Entry when a request has ended. What goes out: lines, JSON or
// the Common Log Format, to one writer. Building a line does not allocate;
// writing never blocks a request: lines wait in bounded memory, and when the
// writer is stuck they are dropped and counted. Whatever bytes a client sent, a
// line stays one line and, in JSON, valid. Start reading at Log.
package accesslog

import (
	"net/netip"
	"time"
)

// Entry is what is known of one request when it has ended. The slices are not
// kept.
type Entry struct {
	Time     time.Time // when its first byte came
	Listener string
	Client   netip.Addr
	Method   []byte // empty when no head could be read, as are Host and Target
	Host     []byte // with its port, as sent
	Target   []byte // path and query as sent
	Major    int    // of the version of HTTP
	Minor    int    // of HTTP/1
	TLS      string // the version; empty in plain text

	Status            int // 0 when nothing was answered
	BytesIn, BytesOut int64

	Route   string // empty when no rule took the request, as are those below
	Rule    int
	Group   string
	Address netip.AddrPort // of the target; invalid without one
	Retries int

	Wait, Held, Connect, FirstByte, Total time.Duration // see outcome.Result

	ID     []byte // of the request
	Why    string // it ended: a stable word
	Detail string // to Why; may be empty
}

// Bounds on what one client or target can put in a line, in bytes before escaping.
const (
	methodMax = 32
	hostMax   = 255
	pathMax   = 2048
	detailMax = 256
)

// cut bounds what someone else chose.
func cut[T ~string | ~[]byte](s T, n int) T {
	if len(s) > n {
		return s[:n]
	}
	return s
}
