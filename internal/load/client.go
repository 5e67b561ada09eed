package load

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"portico/internal/clock"
	"portico/internal/netx"
)

// client is one machine that asks: its own address, its own memory of the name,
// its own connections and cookies.
type client struct {
	plan     *plan
	stats    *stats
	dialer   netx.Dialer
	tls      *tls.Config // nil for http
	resolver *resolver

	mu      sync.Mutex // guards what follows
	to      netip.Addr // where idle connections go
	idle    []*conn    // the last one used is taken first
	cookies []*http.Cookie
}

// newClients makes the clients of a run, whose lookups end with the context.
func newClients(life context.Context, p *plan, s *stats) []*client {
	clients := make([]*client, p.Clients)
	for i := range clients {
		source := p.source(i)
		c := &client{plan: p, stats: s, dialer: netx.Dialer{Source: source}}
		c.resolver = &resolver{life: life, plan: p, source: source, stats: s}
		if len(p.DNS) > 0 {
			c.resolver.first = i % len(p.DNS) // as resolvers choose among the servers of a zone
		}
		if p.secure {
			c.tls = p.tlsConfig()
		}
		clients[i] = c
	}
	return clients
}

// close closes the kept connections, once no request is under way, and waits for
// lookups nobody waits for any more.
func (c *client) close() {
	c.resolver.lookups.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.idle {
		_ = k.Close()
	}
	c.idle = nil
}

// do makes one request: one attempt, at the first address of the answer. A kept
// connection that turns out to be closed before a byte of the answer came says
// nothing about the server; the request is then sent again on a new connection,
// and counted as retried.
func (c *client) do(run context.Context, due time.Time, fresh bool) outcome {
	ctx, cancel := context.WithTimeout(run, c.plan.Timeout)
	defer cancel()
	o := outcome{due: due}
	a, err := c.resolver.resolve(ctx)
	if err != nil {
		return o.failed(classify(run, resolving, err), err)
	}
	o.address = a
	var k *conn
	if !fresh {
		k = c.take(a)
	}
	if k != nil {
		if at, err := c.ask(ctx, k, &o); err == nil || at != asking || k.answered || ctx.Err() != nil {
			return c.ended(run, k, o, at, err)
		}
		_ = k.Close()
		o.retried = true
	}
	k, at, err := c.dial(ctx, a)
	if err != nil {
		return o.failed(classify(run, at, err), err)
	}
	k.once = fresh
	at, err = c.ask(ctx, k, &o)
	return c.ended(run, k, o, at, err)
}

// ended keeps the connection or closes it, and completes the outcome.
func (c *client) ended(run context.Context, k *conn, o outcome, at phase, err error) outcome {
	if err != nil {
		_ = k.Close()
		return o.failed(classify(run, at, err), err)
	}
	c.keep(k)
	o.at, o.kind = clock.Now(), statusKind(o.status)
	return o
}

// dial connects, and does the handshake for https.
func (c *client) dial(ctx context.Context, to netip.Addr) (*conn, phase, error) {
	raw, err := c.dialer.Dial(ctx, netip.AddrPortFrom(to, c.plan.port))
	if err != nil {
		return nil, connecting, err
	}
	c.stats.connected()
	if c.tls == nil {
		return newConn(to, raw, raw), asking, nil
	}
	secured := tls.Client(raw, c.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, securing, err
	}
	return newConn(to, raw, secured), asking, nil
}

// ask sends the request and reads the answer. The phase is how far it came.
func (c *client) ask(ctx context.Context, k *conn, o *outcome) (phase, error) {
	stop := closeWith(ctx, k.Conn)
	got, at, err := k.roundTrip(c.plan.head + c.cookieLine() + "\r\n")
	o.status, o.server, o.bytes = got.status, got.header.Get("X-Served-By"), got.bytes
	c.learn(got.header)
	if !stop() {
		k.once = true // its deadline is about to pass, too late for this request
	}
	return at, err
}

// take returns an idle connection to an address that is still open, or nil.
// Connections to another address are closed: the name moved.
func (c *client) take(to netip.Addr) *conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to != c.to {
		for _, k := range c.idle {
			_ = k.Close()
		}
		c.to, c.idle = to, nil
	}
	for len(c.idle) > 0 {
		last := len(c.idle) - 1
		k := c.idle[last]
		c.idle = c.idle[:last]
		if k.open() {
			return k
		}
		_ = k.Close()
	}
	return nil
}

// keep puts a connection back unless it ends here.
func (c *client) keep(k *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.to.IsValid() {
		c.to = k.to
	}
	if k.once || k.to != c.to || len(c.idle) >= c.plan.idleMax() {
		_ = k.Close()
		return
	}
	c.idle = append(c.idle, k)
}

// cookieLine is the Cookie field, or nothing.
func (c *client) cookieLine() string {
	if !c.plan.Cookies {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	line := ""
	for _, k := range c.cookies {
		if line != "" {
			line += "; "
		}
		line += k.Name + "=" + k.Value
	}
	if line == "" {
		return ""
	}
	return "Cookie: " + line + "\r\n"
}

// cookiesMax is how many cookies a client keeps, as browsers do for one site.
const cookiesMax = 50

// learn keeps the cookies of an answer and forgets those it takes back. There is
// one host and one path, so that names alone tell them apart.
func (c *client) learn(header http.Header) {
	if !c.plan.Cookies {
		return
	}
	for _, given := range (&http.Response{Header: header}).Cookies() {
		c.mu.Lock()
		c.cookies = slices.DeleteFunc(c.cookies, func(k *http.Cookie) bool { return k.Name == given.Name })
		if given.MaxAge >= 0 && (given.Expires.IsZero() || given.Expires.After(clock.Now())) && len(c.cookies) < cookiesMax {
			c.cookies = append(c.cookies, given)
		}
		c.mu.Unlock()
	}
}
