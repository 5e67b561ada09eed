package portable

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/l7/loop"
)

// greetTime bounds what comes before HTTP: the PROXY header and the TLS handshake.
const greetTime = 10 * time.Second

var errRefused = errors.New("refused")

// greet does what comes before HTTP: PROXY header, limit, TLS. On an error the
// connection is to be reset; it was counted already.
func (c *conn) greet() error {
	nc := c.raw
	c.info.Peer, c.info.Local = netx.AddrPort(nc.RemoteAddr()), netx.AddrPort(nc.LocalAddr())
	_ = nc.SetDeadline(now().Add(greetTime))
	if err := c.proxyHeader(); err != nil {
		return err
	}
	l := c.svc.Listener(c.info.Local.Addr())
	if l == nil {
		return c.refuse(loop.NoListener, errRefused)
	}
	if !l.Opened() {
		return c.refuse(loop.TooMany, errRefused)
	}
	c.mu.Lock()
	c.l = l // from here on Retire sees it
	c.mu.Unlock()
	if c.svc.Listener(c.info.Local.Addr()) != l {
		return c.refuse(loop.NoListener, errRefused) // retired a moment ago
	}
	conn := net.Conn(nc)
	if config := c.l.TLS(); config != nil {
		secure := tls.Server(nc, config)
		if err := secure.Handshake(); err != nil {
			return c.refuse(loop.BadHandshake, err)
		}
		state := secure.ConnectionState()
		c.info.TLS, c.info.ServerName = true, state.ServerName
		c.info.Version, c.info.Cipher = state.Version, state.CipherSuite
		conn = secure
	}
	_ = nc.SetDeadline(time.Time{})
	c.client.link = newLink(conn)
	return nil
}

// refuse observes why there will be no request.
func (c *conn) refuse(why loop.Refusal, err error) error {
	c.svc.Refused(c.info.Peer, why)
	c.d.o.Log.Debug("connection refused", "peer", c.info.Peer, "why", why.String(), "error", err)
	return err
}

// proxyHeader reads who the client is, where l4 nodes are in front.
func (c *conn) proxyHeader() error {
	from := c.svc.ProxyFrom()
	if len(from) == 0 {
		return nil
	}
	if !slices.Contains(from, c.info.Peer.Addr()) {
		return c.refuse(loop.NotTrusted, errRefused)
	}
	h, err := readProxy(c.raw)
	if err != nil {
		return c.refuse(loop.BadProxy, err)
	}
	if h.Readiness {
		c.answerReadiness()
		return errRefused
	}
	if h.Source.IsValid() {
		c.info.Peer, c.info.Local = h.Source, h.Destination
	}
	return nil
}

// answerReadiness tells an l4 node whether to send flows here.
func (c *conn) answerReadiness() {
	answer := "draining\n"
	if c.svc.Ready() && !c.d.isDraining() {
		answer = "ready\n"
	}
	if _, err := io.WriteString(c.raw, answer); err != nil {
		return // the prober finds out itself
	}
	c.quiet = true
}

// readProxy reads exactly a PROXY header, so that TLS finds what follows.
func readProxy(r io.Reader) (proxy.Header, error) {
	const fixed = 16 // signature, command, family and length (section 2.2)
	var buf [proxy.MaxSize]byte
	if _, err := io.ReadFull(r, buf[:fixed]); err != nil {
		return proxy.Header{}, err
	}
	h, n, err := proxy.Parse(buf[:fixed])
	if err != nil || n > 0 {
		return h, err
	}
	whole := fixed + int(binary.BigEndian.Uint16(buf[fixed-2:]))
	if _, err := io.ReadFull(r, buf[fixed:min(whole, len(buf))]); err != nil {
		return proxy.Header{}, err
	}
	h, n, err = proxy.Parse(buf[:min(whole, len(buf))])
	if err == nil && n == 0 {
		err = errors.New("PROXY header: too long")
	}
	h.TLVs = nil // they lie in buf
	return h, err
}

// hangUp closes a connection that was not greeted.
func (c *conn) hangUp() {
	if c.quiet {
		_ = c.raw.Close()
		return
	}
	netx.Reset(c.raw)
}
