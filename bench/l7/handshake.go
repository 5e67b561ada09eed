//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// handshakesVerb makes this program a loader: it runs itself, on the loader's core.
const handshakesVerb = "handshakes"

// askedEach is how many handshakes one connection that is also asked for something
// stands for, the first among them: proof that both ends finished the handshake, at a cost that does not show.
const askedEach = 64

// shaken is what that loader prints.
type shaken struct {
	Connections int64
	Errors      int64
	Seconds     float64
	First       string // of the errors
}

// handshakes connects, shakes hands and closes.
func handshakes(ctx context.Context, j job) (loaded, error) {
	self, err := os.Executable()
	if err != nil {
		return loaded{}, err
	}
	out, err := j.run(ctx, self, handshakesVerb, "-address", j.address, "-connections", strconv.Itoa(j.connections),
		"-for", j.length.String(), "-path", j.ask.path, "-size", strconv.Itoa(j.ask.size))
	if err != nil {
		return loaded{}, err
	}
	return readShaken(out)
}

func readShaken(out []byte) (loaded, error) {
	var s shaken
	if err := json.Unmarshal(out, &s); err != nil {
		return loaded{}, fmt.Errorf("%s printed %q: %w", handshakesVerb, out, err)
	}
	if s.Errors > 0 || s.Connections == 0 || s.Seconds <= 0 {
		return loaded{}, fmt.Errorf("%d handshakes, and %d that failed: %s", s.Connections, s.Errors, s.First)
	}
	return loaded{units: s.Connections, rate: float64(s.Connections) / s.Seconds}, nil
}

// handshakesMain is the loader.
func handshakesMain(ctx context.Context, args []string, out io.Writer) error {
	s := shaker{ask: ask{protocol: overTLS}}
	flags := flag.NewFlagSet(handshakesVerb, flag.ContinueOnError)
	flags.StringVar(&s.address, "address", "", "where to connect to")
	flags.StringVar(&s.ask.path, "path", "/", "what to ask for")
	flags.IntVar(&s.ask.size, "size", 0, "of the answer's body")
	connections := flags.Int("connections", 1, "how many at once")
	length := flags.Duration("for", time.Second, "how long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	began := time.Now()
	s.until = began.Add(*length)
	var wait sync.WaitGroup
	for range *connections {
		wait.Go(func() { s.shake(ctx) })
	}
	wait.Wait()
	result := shaken{Connections: s.done.Load(), Errors: s.failed.Load(), Seconds: time.Since(began).Seconds()}
	if first := s.first.Load(); first != nil {
		result.First = (*first).Error()
	}
	return json.NewEncoder(out).Encode(result)
}

// shaker is the state that the connections of that loader share.
type shaker struct {
	address      string
	ask          ask
	until        time.Time
	done, failed atomic.Int64
	first        atomic.Pointer[error]
}

// shake connects again and again until the time is over or something fails.
func (s *shaker) shake(ctx context.Context) {
	config := greeting()
	for ctx.Err() == nil && time.Now().Before(s.until) {
		if err := s.once(ctx, config); err != nil {
			s.failed.Add(1)
			s.first.CompareAndSwap(nil, &err)
			return
		}
	}
}

func (s *shaker) once(ctx context.Context, config *tls.Config) error {
	d := net.Dialer{Timeout: askMax}
	plain, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	c := tls.Client(plain, config)
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(askMax))
	if err := c.HandshakeContext(ctx); err != nil {
		return err
	}
	if err := asGreeted(c.ConnectionState()); err != nil {
		return err
	}
	if s.done.Add(1)%askedEach == 1 {
		_, err := s.ask.over(c, s.address, "", "close")
		return err
	}
	return nil
}
