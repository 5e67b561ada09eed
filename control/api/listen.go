package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// socketPathMax is how long the name of a unix socket may be everywhere.
const socketPathMax = 103

// ServeSocket serves everything on a unix socket that only its owner may open,
// until ctx ends. A socket that a dead process left is taken over; one that a
// living process answers on is an error.
func (a *API) ServeSocket(ctx context.Context, path string) (wait func() error, err error) {
	if len(path) > socketPathMax {
		return nil, fmt.Errorf("control socket %s: the name is %d characters long, and the system takes %d; use a shorter --socket", path, len(path), socketPathMax)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the control socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	ln, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	return a.serve(ctx, ln, a.writing()), nil
}

// listenPrivate makes the socket with a mask, so that there is no moment in
// which others may open it.
func listenPrivate(path string) (net.Listener, error) {
	mask := syscall.Umask(0o177)
	ln, err := net.Listen("unix", path)
	syscall.Umask(mask)
	if err != nil {
		return nil, err
	}
	return ln, os.Chmod(path, 0o600)
}

// removeStale removes a socket that nobody answers on, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("control socket: %w", err)
	case info.Mode().Type() != os.ModeSocket:
		return fmt.Errorf("control socket %s: there is a file of that name, and it is not a socket; use another --socket", path)
	}
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("control socket %s: another portico of that name is running; stop it, or use --socket", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("control socket %s: it cannot be told whether another portico is running: %w", path, err)
}

// ServeTCP serves what reads on a loopback address until ctx ends.
func (a *API) ServeTCP(ctx context.Context, addr string) (wait func() error, err error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: use an address with a port, such as 127.0.0.1:9900, or off", addr)
	}
	if !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("admin address %s: it is not on loopback, and nobody is asked who they are there; use 127.0.0.1:%d", addr, at.Port())
	}
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("admin address %s is taken; use --admin with another port, or --admin off", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("admin address %s: %w", addr, err)
	}
	return a.serve(ctx, ln, onlyLocal(a.reading(), at)), nil
}

// onlyLocal refuses a Host that a browser could only have been led to by a name
// that someone else controls (DNS rebinding).
func onlyLocal(next http.Handler, at netip.AddrPort) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = strings.Trim(host, "[]")
		if host != "localhost" && host != at.Addr().String() {
			http.Error(w, "this address is read by its number or as localhost", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve starts a server and returns how to wait for its end.
func (a *API) serve(ctx context.Context, ln net.Listener, h http.Handler) func() error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headTimeout, ReadTimeout: readTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	done := make(chan error, 1)
	go func() {
		defer stop()
		err := server.Serve(ln)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		done <- err
	}()
	return func() error { return <-done }
}
