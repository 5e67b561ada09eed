package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"portico/internal/netx"
	"portico/internal/netx/proxy"
	"portico/l7/loop"
	"portico/l7/loop/link"
	"portico/l7/message"
	"portico/l7/tlsx"
)

// greetTime bounds what comes before HTTP: the PROXY header and the TLS handshake.
const greetTime = 10 * time.Second

var errRefused = errors.New("refused")

// open does what comes before HTTP: PROXY header, limit, TLS.
func (c *conn) open() {
	from := c.svc.ProxyFrom()
	if len(from) == 0 {
		c.admit()
		return
	}
	if !slices.Contains(from, c.info.Peer.Addr()) {
		c.refuse(loop.NotTrusted, errRefused)
		return
	}
	c.bound()
}

// bound starts the time that greeting may take.
func (c *conn) bound() {
	if !c.timer.Started() {
		c.w.Wheel.Start(&c.timer, c.w.Now.Add(greetTime))
	}
}

// greet reads who the client is, where l4 nodes are in front.
func (c *conn) greet() {
	l := c.client.link
	n, err := l.Read(c.w.buf)
	if errors.Is(err, link.ErrAgain) {
		return
	}
	if err != nil {
		c.refuse(loop.BadProxy, err)
		return
	}
	l.Add(c.w.buf[:n])
	h, size, err := proxy.Parse(l.Rest[:min(len(l.Rest), proxy.MaxSize)])
	switch {
	case err == nil && size == 0 && len(l.Rest) < proxy.MaxSize:
		if l.In {
			c.greet()
		}
		return
	case err == nil && size == 0:
		err = errors.New("PROXY header: too long")
	}
	if err != nil {
		c.refuse(loop.BadProxy, err)
		return
	}
	if h.Readiness {
		c.answerReadiness()
		return
	}
	if h.Source.IsValid() {
		c.info.Peer, c.info.Local = h.Source, h.Destination
	}
	l.Put(l.Rest[size:])
	c.admit()
}

// answerReadiness tells an l4 node whether to send flows here.
func (c *conn) answerReadiness() {
	answer := "draining\n"
	if c.svc.Ready() && !c.w.draining {
		answer = "ready\n"
	}
	_, _ = netx.SendFD(c.client.link.FD, []byte(answer)) // a prober that is gone finds out itself
	c.quiet = true
	c.hangUp()
}

// admit finds the listener and begins TLS, or else HTTP.
func (c *conn) admit() {
	l := c.svc.Listener(c.info.Local.Addr())
	if l == nil {
		c.refuse(loop.NoListener, errRefused)
		return
	}
	if why, ok := l.Opened(c.w.Now); !ok {
		c.refuse(why, errRefused)
		return
	}
	c.l = l
	config := l.TLS()
	if config == nil {
		c.begin()
		return
	}
	c.bound()
	c.client.link.Shake(func(nc net.Conn) *tls.Conn { return tls.Server(nc, config) }, c.shaken)
}

// shaken is the end of the handshake.
func (c *conn) shaken(err error) {
	if errors.Is(err, link.ErrKilled) {
		err = os.ErrDeadlineExceeded
	}
	if err != nil {
		c.answerPlain(err)
		c.quiet = c.quiet || isAlerted(err)
		c.refuse(loop.BadHandshake, err)
		return
	}
	if c.killed {
		c.hangUp()
		return
	}
	state := c.client.link.State()
	c.info.TLS, c.info.ServerName = true, state.ServerName
	c.info.Version, c.info.Cipher = state.Version, state.CipherSuite
	c.info.Identity = tlsx.Identify(&state)
	c.begin()
}

// isAlerted reports whether a client was told by an alert why its handshake failed.
// In TLS 1.3 it sends its request before it reads that.
func isAlerted(err error) bool {
	switch tlsx.Reason(err) {
	case "client-closed", "client-alert", "not-tls", "timeout":
		return false
	}
	return true
}

// plainAnswer tells a client that speaks HTTP without TLS what is wrong, and when.
const plainAnswer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 72\r\nDate: %s\r\nConnection: close\r\n\r\n" +
	"400 Bad Request\nplain HTTP was sent to an HTTPS port; use https:// here\n"

// answerPlain answers a request that should have been a handshake; nothing of one
// was sent then.
func (c *conn) answerPlain(err error) {
	record, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || record.Conn == nil {
		return
	}
	for _, b := range record.RecordHeader[:3] { // no method is shorter
		if b < 'A' || b > 'Z' {
			return
		}
	}
	l := c.client.link
	l.Plain()
	var date message.Date
	_, _ = netx.SendFD(l.FD, fmt.Appendf(nil, plainAnswer, date.Field(c.w.Now).Value)) // a client that is gone needs none
	c.quiet = true
}

// refuse observes why there will be no request.
func (c *conn) refuse(why loop.Refusal, err error) {
	c.svc.Refused(c.info.Peer, why, err)
	c.w.d.o.Log.Debug("connection refused", "peer", c.info.Peer, "why", why.String(), "error", err)
	if c.quiet && !c.killed {
		c.part()
		return
	}
	c.hangUp()
}

// part ends our side of a connection whose client was told why, and leaves the
// other to the client: what it sends to a socket that is closed would reset it,
// with what it has not read yet.
func (c *conn) part() {
	c.phase = parting
	c.client.link.Plain() // nobody decrypts what comes
	netx.EndFD(c.client.link.FD)
	c.w.Wheel.Start(&c.timer, c.w.Now.Add(partTime))
	c.parted()
}

// parted throws away what a client sends that is refused, until it ends or sends
// more than one does that is about to notice.
func (c *conn) parted() {
	for range turns {
		switch _, err := c.client.link.Read(c.w.buf); {
		case errors.Is(err, link.ErrAgain):
			return
		case err != nil:
			c.hangUp()
			return
		}
	}
	c.hangUp()
}

// giveUp ends a connection that is not greeted in time.
func (c *conn) giveUp() {
	c.killed = true
	if c.client.link.GiveUp() {
		return // it ends in shaken
	}
	c.refuse(loop.BadProxy, errRefused)
}

// hangUp closes a connection that was not greeted.
func (c *conn) hangUp() {
	c.client.link.Close(!c.quiet)
	c.client = side{}
	c.finish()
}
