//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"
)

// protocol is what the loader and a proxy speak.
type protocol int

const (
	clearText protocol = iota // HTTP/1.1
	overTLS                   // HTTP/1.1 over TLS 1.3
	http2                     // HTTP/2 in clear text, by prior knowledge
)

// ask is what a proxy is asked for, and what must come back.
type ask struct {
	protocol protocol
	path     string
	size     int    // of the body
	host     string // when not the address
	cookie   bool   // a session is begun with the first answer
}

// keptFor is how many requests a connection must be kept for: more than any proxy
// ends one after that was not told otherwise.
const keptFor = 1200

// url is where a proxy is asked.
func (a ask) url(address string) string {
	if a.protocol == overTLS {
		return "https://" + address + a.path
	}
	return "http://" + address + a.path
}

// session is one connection to a proxy, by which it is asked again and again.
type session struct {
	// once asks once, with a cookie or an empty one, and returns those that were set.
	once  func(cookie string) ([]*http.Cookie, error)
	close func()
}

// askMax is how long one answer may take.
const askMax = 5 * time.Second

// begin connects.
func (a ask) begin(ctx context.Context, address string) (session, error) {
	if a.protocol == http2 {
		return a.beginHTTP2(ctx, address), nil
	}
	d := net.Dialer{Timeout: askMax}
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return session{}, err
	}
	if a.protocol == overTLS {
		c = tls.Client(c, greeting())
	}
	return session{
		once:  func(cookie string) ([]*http.Cookie, error) { return a.over(c, address, cookie, "keep-alive") },
		close: func() { _ = c.Close() },
	}, nil
}

// beginHTTP2 leaves the protocol to the standard library, and sees that it does
// not connect again.
func (a ask) beginHTTP2(ctx context.Context, address string) session {
	var speaks http.Protocols
	speaks.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &speaks, DisableCompression: true}
	connections := 0
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if !c.Reused {
			connections++
		}
	}}
	once := func(cookie string) ([]*http.Cookie, error) {
		ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, trace), askMax)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url(address), nil)
		if err != nil {
			return nil, err
		}
		a.dress(req, cookie)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = resp.Body.Close() }()
		if connections > 1 {
			return nil, errors.New("the connection was not kept")
		}
		return resp.Cookies(), a.good(resp)
	}
	return session{once: once, close: transport.CloseIdleConnections}
}

// over asks once over a connection, and returns the cookies that were set.
func (a ask) over(c net.Conn, address, cookie, connection string) ([]*http.Cookie, error) {
	_ = c.SetDeadline(time.Now().Add(askMax))
	req, err := http.NewRequest(http.MethodGet, a.url(address), nil)
	if err != nil {
		return nil, err
	}
	a.dress(req, cookie)
	req.Header.Set("Connection", connection)
	if err := req.Write(c); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if s, ok := c.(*tls.Conn); ok {
		state := s.ConnectionState()
		resp.TLS = &state
	}
	return resp.Cookies(), a.good(resp)
}

// dress gives a request its host and its cookie.
func (a ask) dress(req *http.Request, cookie string) {
	if a.host != "" {
		req.Host = a.host
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
}

// good reads an answer and reports why it is not the one that was asked for.
func (a ask) good(resp *http.Response) error {
	n, err := io.Copy(io.Discard, resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", resp.StatusCode)
	case n != int64(a.size):
		return fmt.Errorf("a body of %d bytes, not %d", n, a.size)
	}
	return a.spoke(resp)
}

// greeting is how TLS is asked for: a new session each time, and no key exchange
// but X25519, which all contestants have.
func greeting() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify:     true, // the certificate was made for this run
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519},
		SessionTicketsDisabled: true,
	}
}

// spoke reports why an answer did not come the way it was to.
func (a ask) spoke(resp *http.Response) error {
	if want := map[protocol]int{clearText: 1, overTLS: 1, http2: 2}[a.protocol]; resp.ProtoMajor != want {
		return fmt.Errorf("%s was spoken, not HTTP/%d", resp.Proto, want)
	}
	if a.protocol == overTLS {
		return asGreeted(*resp.TLS)
	}
	return nil
}

// asGreeted reports why a TLS connection is not like those of the others.
func asGreeted(s tls.ConnectionState) error {
	switch {
	case s.Version != tls.VersionTLS13:
		return fmt.Errorf("%s was spoken, not TLS 1.3", tls.VersionName(s.Version))
	case s.CipherSuite != tls.TLS_AES_128_GCM_SHA256:
		return fmt.Errorf("the cipher is %s, not TLS_AES_128_GCM_SHA256", tls.CipherSuiteName(s.CipherSuite))
	case s.CurveID != tls.X25519:
		return fmt.Errorf("keys were exchanged by %v, not X25519", s.CurveID)
	case s.DidResume:
		return errors.New("a session was resumed")
	case len(s.PeerCertificates) == 0 || s.PeerCertificates[0].Subject.CommonName != "bench.example.com":
		return errors.New("the certificate is not the one made for this run")
	}
	return nil
}

// alone asks once, over a connection of its own.
func (a ask) alone(ctx context.Context, address string) ([]*http.Cookie, error) {
	s, err := a.begin(ctx, address)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.once("")
}

// sessionCookie asks for a cookie and returns it as requests bring it; empty where
// the ask wants none.
func (a ask) sessionCookie(ctx context.Context, address string) (string, error) {
	if !a.cookie {
		return "", nil
	}
	set, err := a.alone(ctx, address)
	if err != nil {
		return "", err
	}
	if len(set) != 1 {
		return "", fmt.Errorf("%d cookies were set, not one", len(set))
	}
	return set[0].Name + "=" + set[0].Value, nil
}

// kept asks many times, over one connection that must be kept.
func (a ask) kept(ctx context.Context, address, cookie string) error {
	s, err := a.begin(ctx, address)
	if err != nil {
		return err
	}
	defer s.close()
	for i := range keptFor {
		set, err := s.once(cookie)
		if err != nil {
			return fmt.Errorf("request %d of one connection: %w", i+1, err)
		}
		if len(set) > 0 {
			return fmt.Errorf("cookie %q was set, though the request brought one", set[0].Name)
		}
	}
	return nil
}
