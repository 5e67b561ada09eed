package health

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"portico/spec"
)

// HTTP are the parameters of the http and https checks: one request on a
// connection of its own, which passes when status and body are as wanted.
// Redirects are answers like any other and are not followed.
type HTTP struct {
	// Path to ask for, with its query if it has one.
	Path string `json:"path,omitempty" default:"/"`
	// Host is the Host header; the target's address when empty.
	Host string `json:"host,omitempty"`
	// Port to connect to; 0 means the target's own.
	Port   int    `json:"port,omitempty" range:"0..65535"`
	Method string `json:"method,omitempty" default:"GET" enum:"GET|HEAD|OPTIONS"`
	// Codes are the status codes that pass, each a code or a range; none means 200-399.
	Codes []string `json:"codes,omitempty"`
	// Body must be found in the first 5,120 bytes of the body; empty means any.
	Body string `json:"body,omitempty"`
	// ServerName is the name in the TLS handshake; when empty that of the target
	// group's tls, or else Host. https only.
	ServerName string `json:"serverName,omitempty"`
	// Verify refuses a certificate that the system's roots do not vouch for.
	// Without it, as with Route 53, any certificate will do: targets commonly
	// have one of their own making, and the check asks whether they serve. Where
	// the target group has tls, targets are verified as it says. https only.
	Verify bool `json:"verify,omitempty"`
}

const (
	// bodyMax is how much of a body is searched, as with Route 53.
	bodyMax = 5120
	// headMax bounds the status line and headers of an answer.
	headMax = 64 << 10
	// interimMax bounds how many 1xx answers may come before the final one.
	interimMax = 5
	// wantMax bounds Path, Host and Body; a body longer than what is searched
	// could never be found.
	wantMax = bodyMax

	userAgent = "Portico-Health"
)

// Check refuses what could not be asked for.
func (h *HTTP) Check() []spec.Problem {
	var ps []spec.Problem
	refuse := func(path, what, help string) {
		ps = append(ps, spec.Problem{Path: path, What: what, Help: help})
	}
	if h.Path != "" {
		if _, err := url.ParseRequestURI(h.Path); err != nil || h.Path[0] != '/' || len(h.Path) > wantMax {
			refuse("path", fmt.Sprintf("%q is not a path", short(h.Path)), "use one that starts with a slash, such as /healthz")
		}
	}
	if strings.ContainsAny(h.Host, " \t\r\n/@?#") || len(h.Host) > wantMax {
		refuse("host", fmt.Sprintf("%q is not a host", short(h.Host)), "use a name or an address, with a port if need be")
	}
	for i, c := range h.Codes {
		if _, err := parseCodes([]string{c}); err != nil {
			refuse(spec.At("codes", i), err.Error(), "use a code such as 204, or a range such as 200-399")
		}
	}
	switch {
	case len(h.Body) > bodyMax:
		refuse("body", fmt.Sprintf("it is %d bytes long, and only the first %d of an answer are searched", len(h.Body), bodyMax), "look for less")
	case h.Body != "" && h.Method == http.MethodHead:
		refuse("body", "an answer to HEAD has no body", "use method GET")
	}
	return ps
}

// short cuts a value that is quoted back to the user.
func short(s string) string { return bounded(s) }

func newHTTP(params any, _ Options) Probe { return newAsk(given[HTTP](params), nil) }

func newHTTPS(params any, o Options) Probe {
	p := given[HTTP](params)
	if o.TLS == nil {
		o.TLS = &tls.Config{InsecureSkipVerify: true} // documented at HTTP.Verify
	}
	return newAsk(p, o.TLS)
}

// ask is an http or https check, its defaults filled in.
type ask struct {
	HTTP
	tls   *tls.Config // nil for http
	codes []codeRange
}

func newAsk(p HTTP, secure *tls.Config) Probe {
	a := &ask{HTTP: p, tls: secure}
	if a.Path == "" {
		a.Path = "/"
	}
	if a.Method == "" {
		a.Method = http.MethodGet
	}
	a.Codes = slices.Clone(a.Codes)
	if len(a.Codes) == 0 {
		a.Codes = []string{codesDefault}
	}
	var err error
	if a.codes, err = parseCodes(a.Codes); err != nil {
		panic("health: http: codes: " + err.Error() + "; HTTP.Check refuses it")
	}
	return a.probe
}

func (a *ask) probe(ctx context.Context, dial Dial, to netip.AddrPort) error {
	to = at(to, a.Port)
	req, err := a.request(ctx, to)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, dial, to)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if a.tls != nil {
		secure := tls.Client(conn, a.tlsConfig(to))
		if err := secure.HandshakeContext(ctx); err != nil {
			return while("the TLS handshake", err)
		}
		conn = secure
	}
	if err := req.Write(conn); err != nil {
		return while("the response", err)
	}
	return a.judge(conn, req)
}

func (a *ask) request(ctx context.Context, to netip.AddrPort) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, a.Method, "http://"+to.String()+a.Path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if a.Host != "" {
		req.Host = a.Host
	}
	req.Header.Set("User-Agent", userAgent)
	req.Close = true
	return req, nil
}

// tlsConfig is that of the group, with what the check says over it.
func (a *ask) tlsConfig(to netip.AddrPort) *tls.Config {
	name := a.Host
	if host, _, err := net.SplitHostPort(a.Host); err == nil {
		name = host
	}
	c := a.tls.Clone()
	c.NextProtos = []string{"http/1.1"}
	c.ServerName = cmp.Or(a.ServerName, c.ServerName, name, to.Addr().String()) // an address is never sent (RFC 6066, section 3)
	c.InsecureSkipVerify = c.InsecureSkipVerify && !a.Verify
	return c
}

// judge reads the answer, no more of it than it must, and compares it with what
// is wanted.
func (a *ask) judge(conn net.Conn, req *http.Request) error {
	limited := &io.LimitedReader{R: conn, N: headMax + bodyMax}
	resp, err := readFinal(bufio.NewReader(limited), req)
	switch {
	case err != nil && limited.N <= 0:
		return fmt.Errorf("response headers are longer than %d bytes", headMax)
	case err != nil:
		return while("the response", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if !wanted(a.codes, resp.StatusCode) {
		return fmt.Errorf("status %d, want %s", resp.StatusCode, strings.Join(a.Codes, ", "))
	}
	if a.Body == "" {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax))
	switch {
	case bytes.Contains(body, []byte(a.Body)):
		return nil
	case err != nil:
		return while("the body", err)
	}
	return fmt.Errorf("body does not contain %q", a.Body)
}

// readFinal reads the head of the answer, past interim ones (RFC 9110, section 15.2).
func readFinal(r *bufio.Reader, req *http.Request) (*http.Response, error) {
	for range interimMax {
		resp, err := http.ReadResponse(r, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
		_ = resp.Body.Close()
	}
	return nil, fmt.Errorf("more than %d interim answers", interimMax)
}
