package netx

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"

	"portico/internal/clock"
)

// The pauses of Accept after an error grow from the first to the last of these,
// long enough not to spin and short enough that recovery is not noticed.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Acceptor is what Accept takes connections from, such as a *net.TCPListener.
type Acceptor interface {
	AcceptTCP() (*net.TCPConn, error)
	Close() error
}

// Accept hands every connection to serve, one after the other, until ctx ends
// or l is closed; either way l is closed when it returns. It survives every
// other error: while the file table is full, clients wait in the kernel's queue
// and Accept tries again with growing pauses. Such an episode is logged when it
// begins and when it ends. serve must not block.
func Accept(ctx context.Context, l Acceptor, log *slog.Logger, serve func(*net.TCPConn)) {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer func() {
		stop()
		_ = l.Close()
	}()
	var trouble episode
	for {
		conn, err := l.AcceptTCP()
		switch {
		case err == nil:
			trouble.over(log)
			serve(conn)
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			return
		default:
			trouble.pause(ctx, log, err)
		}
	}
}

// episode is a run of failed accepts.
type episode struct {
	failures int
	began    time.Time
	wait     time.Duration // the next pause
}

// pause waits, longer each time, with jitter so that listeners that share a full
// file table do not return all at once.
func (e *episode) pause(ctx context.Context, log *slog.Logger, err error) {
	if e.failures == 0 {
		e.began, e.wait = clock.Now(), acceptPauseMin
		log.Warn("accepting paused", "error", err)
	}
	e.failures++
	t := time.NewTimer(e.wait/2 + rand.N(e.wait/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	e.wait = min(e.wait*2, acceptPauseMax)
}

func (e *episode) over(log *slog.Logger) {
	if e.failures > 0 {
		log.Info("accepting again", "failures", e.failures, "after", clock.Now().Sub(e.began))
		*e = episode{}
	}
}
