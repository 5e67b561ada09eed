package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/websocket"
)

// Shop is the application of the demo. It keeps its login sessions in its own
// memory, as much too much software does: a client that is sent to another
// target is logged out there.
type Shop struct {
	name     string
	internal *http.Client // reaches login and cart through the internal VIP
	vip      string

	mu       sync.Mutex
	sessions map[string]int // visits, by session
}

// sessionsMax bounds the memory of a shop; at the limit nobody can log in.
const sessionsMax = 100_000

// NewShop returns a shop that calls login and cart through an internal VIP,
// from an address of its own.
func NewShop(name, from, internalVIP string) *Shop {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: time.Second}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", internalVIP)
	}
	return &Shop{
		name:     name,
		vip:      internalVIP,
		internal: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DialContext: dial}},
		sessions: map[string]int{},
	}
}

// Handler serves the shop.
func (s *Shop) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.home)
	mux.HandleFunc("/login", s.login)
	mux.HandleFunc("/logout", s.logout)
	mux.HandleFunc("/cart", s.cart)
	mux.HandleFunc("/slow", s.slow)
	mux.HandleFunc("/upload", s.upload)
	mux.Handle("/ws", websocket.Server{Handler: func(c *websocket.Conn) {
		_, _ = io.Copy(c, c) // ends with the connection
	}})
	return mux
}

func (s *Shop) home(w http.ResponseWriter, r *http.Request) {
	say(w, "%s serves %s %s", s.name, r.Method, r.URL)
	say(w, "  for     %s, request %s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Request-Id"))
	if visits, id, ok := s.visit(r); ok {
		say(w, "  session %s, visit %d", id, visits)
	} else {
		say(w, "  session none; /login begins one")
	}
}

// visit counts a visit of the request's session, if this target knows it.
func (s *Shop) visit(r *http.Request) (visits int, id string, ok bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return 0, "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok = s.sessions[c.Value]; ok {
		s.sessions[c.Value]++
	}
	return s.sessions[c.Value], c.Value, ok
}

func (s *Shop) login(w http.ResponseWriter, r *http.Request) {
	who, err := s.call(r.Context(), "login.internal", "/")
	if err != nil {
		http.Error(w, "login: "+err.Error(), http.StatusBadGateway)
		return
	}
	id := newSession()
	s.mu.Lock()
	full := len(s.sessions) >= sessionsMax
	if !full {
		s.sessions[id] = 0
	}
	s.mu.Unlock()
	if full {
		http.Error(w, "too many sessions", http.StatusServiceUnavailable)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true})
	say(w, "%s began session %s, granted by %s", s.name, id, who)
}

func (s *Shop) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie("session"); err == nil {
		s.mu.Lock()
		delete(s.sessions, c.Value)
		s.mu.Unlock()
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", MaxAge: -1})
	say(w, "%s ended the session", s.name)
}

func (s *Shop) cart(w http.ResponseWriter, r *http.Request) {
	what, err := s.call(r.Context(), "cart.internal", "/")
	if err != nil {
		http.Error(w, "cart: "+err.Error(), http.StatusBadGateway)
		return
	}
	say(w, "%s shows the cart of %s", s.name, what)
}

// call asks another service through the internal VIP.
func (s *Shop) call(ctx context.Context, host, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.vip+path, nil)
	if err != nil {
		return "", err
	}
	req.Host = host
	resp, err := s.internal.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answered %s", host, resp.Status)
	}
	return strings.TrimSpace(string(text)), nil
}

func (s *Shop) slow(w http.ResponseWriter, r *http.Request) {
	span, err := time.ParseDuration(r.FormValue("for"))
	if err != nil || span < 0 || span > slowMax {
		span = 2 * time.Second
	}
	if wait(r.Context(), span) == nil {
		say(w, "%s took %v", s.name, span)
	}
}

func (s *Shop) upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, uploadMax))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	say(w, "%s took %d bytes", s.name, n)
}

// Named is a service that only says its name.
func Named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w, "%s", name) })
}

func newSession() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
