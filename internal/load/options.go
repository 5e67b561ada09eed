package load

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"portico/internal/netx"
)

// The bounds of options, and what zero means where zero is allowed.
const (
	RateMax          = 20_000 // requests a second
	ForMax           = 24 * time.Hour
	ConnectionsMax   = 20_000
	connectionsMin   = 64   // of the default
	connectionsUsual = 4096 // the most that the default takes
	clientsUsual     = 64
	clientsMax       = 254
	timeoutUsual     = 10 * time.Second
	filesBesides     = 64 // what the process has open for other things
)

// Options are what Run needs.
type Options struct {
	// URL is asked with GET; http or https.
	URL string
	// DNS are the servers that are asked for the host of the URL, in this order
	// and again from the first. None means that the system resolves it. A host
	// that is an IP address is not asked for.
	DNS []netip.AddrPort
	// Rate is how many requests start a second, 1 to RateMax.
	Rate int
	// For is how long requests are started, up to ForMax.
	For time.Duration
	// Connections is how many requests may be under way at a time, each on a
	// connection of its own. While all are taken, those that are due wait, and
	// their waiting is part of their latency. Zero means Rate, but not less than
	// 64 nor more than 4096.
	Connections int
	// Clients is how many separate clients share the rate, at most 254. Zero
	// means one for each address of Sources, or 64.
	Clients int
	// Sources is the network whose host addresses the clients connect from, such
	// as 127.0.3.0/24; they must be addresses of this machine. The zero value
	// leaves the source to the kernel.
	Sources netip.Prefix
	// NewConnections is the share of requests, 0 to 1, that come on a connection
	// of their own instead of a kept one.
	NewConnections float64
	// Timeout bounds one request, from its first packet to the end of its body. A
	// request that is this late when its turn comes is not sent. Zero means 10 s.
	Timeout time.Duration
	// CA is trusted for https; nil means the system's. Insecure trusts anybody.
	CA       *x509.CertPool
	Insecure bool
	// Cookies makes each client keep what it is given, as a browser does.
	Cookies bool
}

// plan is Options, checked and completed.
type plan struct {
	Options
	secure  bool
	host    string // without port and brackets
	port    uint16
	literal netip.Addr // the host when it is an address
	head    string     // of the request, up to where cookies go
	total   uint64     // requests
}

// due is when a request starts, after the first.
func (p *plan) due(i uint64) time.Duration {
	seconds, rest := i/uint64(p.Rate), i%uint64(p.Rate)
	return time.Duration(seconds)*time.Second + time.Duration(rest)*time.Second/time.Duration(p.Rate)
}

// fresh reports whether a request has to come on a new connection, so that the
// share is kept evenly.
func (p *plan) fresh(i uint64) bool {
	return uint64(float64(i+1)*p.NewConnections) > uint64(float64(i)*p.NewConnections)
}

func newPlan(o Options) (*plan, error) {
	p := &plan{Options: o}
	if err := p.parseURL(); err != nil {
		return nil, err
	}
	if p.Rate < 1 || p.Rate > RateMax {
		return nil, fmt.Errorf("rate %d: use 1 to %d requests a second", p.Rate, RateMax)
	}
	if p.For <= 0 || p.For > ForMax {
		return nil, fmt.Errorf("duration %v: use more than 0s, up to %v", p.For, ForMax)
	}
	if p.NewConnections < 0 || p.NewConnections > 1 {
		return nil, fmt.Errorf("share of new connections %v: use 0 to 1", p.NewConnections)
	}
	if p.Timeout < 0 {
		return nil, fmt.Errorf("timeout %v: use more than 0s", p.Timeout)
	}
	if p.Timeout == 0 {
		p.Timeout = timeoutUsual
	}
	if err := p.planClients(); err != nil {
		return nil, err
	}
	if err := p.planConnections(); err != nil {
		return nil, err
	}
	p.total = max(1, uint64(p.For.Seconds()*float64(p.Rate)))
	return p, nil
}

func (p *plan) parseURL() error {
	u, err := url.Parse(p.URL)
	if err != nil {
		return fmt.Errorf("url %q: %w", p.URL, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return fmt.Errorf("url %q: use http://host:port/path or https://host:port/path", p.URL)
	}
	p.secure, p.host = u.Scheme == "https", strings.TrimSuffix(u.Hostname(), ".")
	p.port = 80
	if p.secure {
		p.port = 443
	}
	if u.Port() != "" {
		port, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil || port == 0 {
			return fmt.Errorf("url %q: %q is not a port; use 1 to 65535", p.URL, u.Port())
		}
		p.port = uint16(port)
	}
	if a, err := netip.ParseAddr(p.host); err == nil {
		p.literal = a.Unmap()
	}
	p.head = "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: portico-bench\r\nAccept: */*\r\n"
	return nil
}

func (p *plan) planClients() error {
	if p.Clients < 0 || p.Clients > clientsMax {
		return fmt.Errorf("clients %d: use 1 to %d", p.Clients, clientsMax)
	}
	if !p.Sources.IsValid() {
		if p.Clients == 0 {
			p.Clients = clientsUsual
		}
		return nil
	}
	p.Sources = p.Sources.Masked()
	hosts := clientsMax
	if bits := p.Sources.Addr().BitLen() - p.Sources.Bits(); bits < 8 {
		hosts = max(1, 1<<bits-2)
	}
	if p.Clients == 0 {
		p.Clients = hosts
	}
	p.Clients = min(p.Clients, hosts)
	return nil
}

// source is the address of one client, or the zero Addr.
func (p *plan) source(client int) netip.Addr {
	if !p.Sources.IsValid() {
		return netip.Addr{}
	}
	a := p.Sources.Addr()
	if p.Sources.IsSingleIP() {
		return a
	}
	for range client + 1 { // the first address of a network is its own name
		a = a.Next()
	}
	return a
}

// idleMax is how many connections one client keeps: its share of all.
func (p *plan) idleMax() int { return (p.Connections + p.Clients - 1) / p.Clients }

func (p *plan) planConnections() error {
	if p.Connections < 0 || p.Connections > ConnectionsMax {
		return fmt.Errorf("connections %d: use 1 to %d", p.Connections, ConnectionsMax)
	}
	files := netx.FilesMax()
	if p.Connections == 0 {
		p.Connections = min(max(p.Rate, connectionsMin), connectionsUsual)
		if files > 0 {
			p.Connections = max(1, min(p.Connections, (files-filesBesides)/2-p.Clients))
		}
	}
	// As many again may be kept by clients that have nothing to ask just now.
	if need := 2*(p.Connections+p.Clients) + filesBesides; files > 0 && need > files {
		return fmt.Errorf("connections %d: need %d open files and this process may have %d; raise it with ulimit -n", p.Connections, need, files)
	}
	return nil
}
