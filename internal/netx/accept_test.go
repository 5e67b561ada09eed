package netx_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"portico/internal/netx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is an acceptor that answers with what it is told, then waits to be closed.
type script struct {
	errs   []error // nil stands for a connection
	tries  int
	closed chan struct{}
	close  sync.Once // Accept may close what it accepts from twice at once
}

func (s *script) AcceptTCP() (*net.TCPConn, error) {
	s.tries++
	if len(s.errs) == 0 {
		<-s.closed
		return nil, net.ErrClosed
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	if err != nil {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}
	}
	return new(net.TCPConn), nil
}

func (s *script) Close() error {
	s.close.Do(func() { close(s.closed) })
	return nil
}

func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// A full file table pauses accepting, longer each time but never for more than a
// second, is logged once when it begins and once when it ends, and costs no
// connection.
func TestAcceptSurvives(t *testing.T) {
	tests := []struct {
		name     string
		errs     []error
		served   int
		episodes int
		between  [2]time.Duration // how long it all takes
	}{
		{"no trouble", repeat(nil, 3), 3, 0, [2]time.Duration{0, 0}},
		{"full once", append(repeat(syscall.EMFILE, 1), nil), 1, 1, [2]time.Duration{2 * time.Millisecond, 5 * time.Millisecond}},
		{"full for long", append(repeat(syscall.ENFILE, 20), nil), 1, 1, [2]time.Duration{6 * time.Second, 14 * time.Second}},
		{"two episodes", append(append(repeat(syscall.EMFILE, 2), nil), append(repeat(syscall.EMFILE, 2), nil)...), 2, 2, [2]time.Duration{10 * time.Millisecond, 30 * time.Millisecond}},
		{"client gone before it was accepted", append(repeat(syscall.ECONNABORTED, 1), nil), 1, 1, [2]time.Duration{time.Millisecond, 5 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				s := &script{errs: tt.errs, closed: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				done, served, began := make(chan struct{}), 0, time.Now()
				var took time.Duration
				go func() {
					defer close(done)
					netx.Accept(ctx, s, slog.New(slog.NewTextHandler(&logged, nil)), func(*net.TCPConn) {
						served++
						took = time.Since(began)
					})
				}()
				time.Sleep(time.Minute)
				cancel()
				<-done
				if served != tt.served {
					t.Errorf("served %d connections, want %d", served, tt.served)
				}
				if took < tt.between[0] || took > tt.between[1] {
					t.Errorf("took %v, want between %v and %v", took, tt.between[0], tt.between[1])
				}
				for _, line := range []string{"accepting paused", "accepting again"} {
					if got := strings.Count(logged.String(), line); got != tt.episodes {
						t.Errorf("logged %q %d times, want %d:\n%s", line, got, tt.episodes, logged.String())
					}
				}
			})
		})
	}
}

// Accept ends at once when its context does, in the middle of a pause too, and
// when the listener is closed; the listener is closed then.
func TestAcceptEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: repeat(syscall.EMFILE, 1000), closed: make(chan struct{})}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		netx.Accept(ctx, s, slog.New(slog.DiscardHandler), func(*net.TCPConn) {})
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("ended after %v, want with its context after 5s", took)
		}
		<-s.closed
		if s.tries > 30 {
			t.Errorf("tried %d times in 5s of a full file table, want few", s.tries)
		}
	})
	l := listen(t, "127.0.0.1:0")
	_ = l.Close()
	netx.Accept(t.Context(), l, slog.New(slog.DiscardHandler), func(*net.TCPConn) {})
}
