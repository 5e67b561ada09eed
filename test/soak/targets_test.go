package soak

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"portico/demo/app"
	"portico/internal/testkit"
	"portico/test/bed"
)

// bigSize is the length of the large answer.
const bigSize = 1 << 20

// big is the large answer. It is never written to.
var big = []byte(strings.Repeat("0123456789abcdef", bigSize/16))

// targets are three servers of which one is dead most of the time.
type targets struct {
	t     *testing.T
	addrs []string
	up    []*app.Server
	asked atomic.Int64 // requests that reached one
}

func newTargets(t *testing.T, b *bed.Bed) *targets {
	t.Helper()
	s := &targets{t: t, addrs: []string{b.Addr("51:8000"), b.Addr("52:8000"), b.Addr("53:8000")}}
	s.up = make([]*app.Server, len(s.addrs))
	for i := range s.addrs {
		s.start(i)
	}
	t.Cleanup(func() {
		for i := range s.up {
			s.cut(i)
		}
	})
	return s
}

// start begins a target; its address may be taken by dying connections for a moment.
func (s *targets) start(i int) {
	testkit.Poll(s.t, hang, func() (err error) {
		s.up[i], err = app.HTTP(fmt.Sprint("web-", i), s.addrs[i], s.handler())
		return err
	})
}

// cut resets all of a target's connections and ends it.
func (s *targets) cut(i int) {
	if s.up[i] != nil {
		s.up[i].Cut()
		s.up[i] = nil
	}
}

// flap kills one target after another and brings it back, until stop.
func (s *targets) flap(stop <-chan struct{}) (died int) {
	tick := time.NewTicker(400 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % len(s.up) {
		select {
		case <-stop:
			return died
		case <-tick.C:
		}
		s.cut(i)
		died++
		select {
		case <-stop:
		case <-tick.C:
		}
		s.start(i)
	}
}

// handler does what the path says.
func (s *targets) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	mux.HandleFunc("/sum", sum)
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(big)))
		_, _ = w.Write(big[:len(big)/2])
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, _ *http.Request) { echo(w, "echo", "") })
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { echo(w, "websocket", acceptance(r)) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		mux.ServeHTTP(w, r)
	})
}

// sum answers with the length and the checksum of what was uploaded.
func sum(w http.ResponseWriter, r *http.Request) {
	h := crc32.NewIEEE()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = fmt.Fprintf(w, "%d %08x", n, h.Sum32())
}

// acceptance is what proves that a server knows WebSocket (RFC 6455, section 4.2.2).
func acceptance(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
}

// echo takes the connection over and sends back what it gets.
func echo(w http.ResponseWriter, protocol, fields string) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n"+fields+"\r\n")
	_, _ = io.Copy(c, rw)
}

// passing is a listener that comes and goes with specs.
const passing = "  - {name: passing, vip: public, port: 8003, protocol: http, routes: [all], timeouts: {head: 2s, body: 2s, idle: 5s}}"

// write writes the spec of a generation.
func write(b *bed.Bed, generation int, balance string) (path string) {
	there := ""
	if generation%2 == 0 {
		there = passing
	}
	return b.Write("testdata/portico.yaml", "$GENERATION", strconv.Itoa(generation), "$BALANCE", balance, "$PASSING", there)
}

// reload applies spec after spec until stop, every fourth of them one that must be
// refused, and returns how many were good.
func reload(t *testing.T, b *bed.Bed, p *bed.Process, stop <-chan struct{}) (good int) {
	t.Helper()
	balances := []string{"round-robin", "least-conn", "random-two", "no-such-balance"}
	tick := time.NewTicker(700 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-stop:
			return good
		case <-tick.C:
		}
		balance := balances[n%len(balances)]
		write(b, n, balance)
		if err := p.Signal(os.Signal(hup)); err != nil {
			t.Errorf("reload: %v", err)
			return good
		}
		if balance != balances[len(balances)-1] {
			good++
		}
	}
}
