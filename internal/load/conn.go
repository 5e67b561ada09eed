package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
)

// conn is one connection that carries one request at a time.
type conn struct {
	net.Conn          // encrypted, for https
	raw      net.Conn // the socket
	to       netip.Addr
	r        *bufio.Reader

	once     bool // it ends after the request it carries
	answered bool // a byte of the answer came
	ended    bool // the server's side did
}

func newConn(to netip.Addr, raw, over net.Conn) *conn {
	k := &conn{Conn: over, raw: raw, to: to}
	k.r = bufio.NewReader(k)
	return k
}

// Read notes the end, which the reader of a head takes for the end of a line.
func (k *conn) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	k.ended = k.ended || isEnd(err)
	return n, err
}

// answer is what a request is judged by.
type answer struct {
	status int // 0 where no head came
	header http.Header
	bytes  int64 // of the body
}

// roundTrip sends a request without a body and reads the whole answer, whose body
// it throws away. On an error the answer holds what came before.
func (k *conn) roundTrip(request string) (answer, phase, error) {
	k.answered = false
	if _, err := io.WriteString(k.Conn, request); err != nil {
		// A server that refuses may have said so before it stopped reading.
		if _, peek := k.r.Peek(1); peek != nil {
			return answer{}, asking, err
		}
	}
	if _, err := k.r.Peek(1); err != nil {
		return answer{}, asking, err
	}
	k.answered = true
	resp, err := k.finalResponse()
	if err != nil && k.ended {
		return answer{}, asking, io.ErrUnexpectedEOF
	}
	if err != nil {
		return answer{}, asking, err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.Close || resp.StatusCode == http.StatusSwitchingProtocols || k.r.Buffered() > 0 {
		k.once = true
	}
	return answer{resp.StatusCode, resp.Header, n}, reading, err
}

// finalResponse passes over interim ones (RFC 9110, section 15.2).
func (k *conn) finalResponse() (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(k.r, nil)
		if err != nil || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, err
		}
	}
}

// open reports whether an idle connection may be used again: its server neither
// ended it nor sent what nobody asked for.
func (k *conn) open() bool { return k.r.Buffered() == 0 && quiet(k.raw) }
