// Package app holds the targets of the demo: small servers that say who they
// are, keep login sessions in their own memory, so that a lost session shows,
// and can be cut off at once.
//
// They are no part of Portico; they stand for the servers of its users.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is one running target.
type Server struct {
	name string
	ln   net.Listener
	http *http.Server // nil for an echo
	done chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]bool
}

const (
	headTimeout = 10 * time.Second
	uploadMax   = 1 << 30
	slowMax     = time.Minute
)

// HTTP starts a target that serves a handler at an address, in HTTP/1.1 and, for
// those who begin with it, HTTP/2.
func HTTP(name, addr string, h http.Handler) (*Server, error) {
	s, err := listen(name, addr)
	if err != nil {
		return nil, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{Handler: sign(name, h), ReadHeaderTimeout: headTimeout, Protocols: &protocols}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(s.ln) // ends by Cut
	}()
	return s, nil
}

// Echo starts a target that says who it is and then sends back what it gets.
func Echo(name, addr string) (*Server, error) {
	s, err := listen(name, addr)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(s.done)
		for {
			c, err := s.ln.Accept()
			if err != nil {
				return
			}
			go echo(name, c)
		}
	}()
	return s, nil
}

func echo(name string, c net.Conn) {
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprintf(c, "%s says hello; it sends back what you type\n", name); err == nil {
		_, _ = io.Copy(c, c) // ends with the connection
	}
}

func listen(name, addr string) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &Server{name: name, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	s.ln = &tracking{Listener: ln, server: s}
	return s, nil
}

// Cut ends the target at once: every connection is reset, as when its machine
// loses power and comes back without it.
func (s *Server) Cut() {
	_ = s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		reset(c)
	}
	s.mu.Unlock()
	if s.http != nil {
		_ = s.http.Close()
	}
	<-s.done
}

func reset(c net.Conn) {
	t := c.(*tracked)
	_ = t.Conn.(*net.TCPConn).SetLinger(0)
	_ = t.Conn.Close()
}

// tracking is a listener that knows its connections, those taken over by a
// WebSocket as well.
type tracking struct {
	net.Listener
	server *Server
}

// Accept remembers the connection until it is closed.
func (l *tracking) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := &tracked{Conn: c, server: l.server}
	l.server.mu.Lock()
	l.server.conns[t] = true
	l.server.mu.Unlock()
	return t, nil
}

type tracked struct {
	net.Conn
	server *Server
}

// Close forgets the connection.
func (c *tracked) Close() error {
	c.server.mu.Lock()
	delete(c.server.conns, c)
	c.server.mu.Unlock()
	return c.Conn.Close()
}

// sign says in every answer which target it came from, and answers what every
// target answers.
func sign(name string, h http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, "ok") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", name)
		mux.ServeHTTP(w, r)
	})
}

// say writes a line; a client that left is not told.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// wait sleeps for a span or until the client leaves.
func wait(ctx context.Context, span time.Duration) error {
	t := time.NewTimer(span)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errors.New("client left")
	}
}
