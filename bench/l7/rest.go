//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portico/bench/rig"
)

const (
	// settle is how long a proxy is left alone before it is measured at rest: what
	// it does after a load is over by then.
	settle = 2 * time.Second
	// restMin is how long at least it is measured then.
	restMin = 5 * time.Second
	// warmConnections are those of the load before.
	warmConnections = 64
)

// atRest measures the CPU time that a proxy needs when nobody asks for anything.
func atRest(ctx context.Context, b *bench, a *arm, r *running) (sample, error) {
	if err := b.warm(ctx, a, r); err != nil {
		return sample{}, err
	}
	took := max(b.length, restMin)
	s, err := observe(ctx, r.Process, b.counts, func() (loaded, error) {
		return loaded{units: int64(took.Seconds() * 1000)}, rig.Pause(ctx, took)
	})
	// Of microseconds for each millisecond: milliseconds for each second.
	return s, err
}

// held measures the memory of a connection that waits for its next request.
func held(ctx context.Context, b *bench, a *arm, r *running) (sample, error) {
	if err := b.warm(ctx, a, r); err != nil {
		return sample{}, err
	}
	pids := r.Family()
	before := rig.Memory(pids)
	conns, err := open(ctx, a, r)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err != nil {
		return sample{}, err
	}
	if err := rig.Pause(ctx, settle); err != nil {
		return sample{}, err
	}
	after := rig.Memory(pids)
	s := sample{InsnUser: -1, InsnKernel: -1, Units: int64(len(conns)), Memory: after}
	s.Figure = per(float64(after-before), s.Units)
	s.Errors = gone(conns)
	return s, nil
}

// warm puts load on a proxy and lets it settle: what it then holds and does is not
// because it has just started.
func (b *bench) warm(ctx context.Context, a *arm, r *running) error {
	j := b.job(a, r, warmUp)
	j.connections = warmConnections
	if _, err := a.load(ctx, j); err != nil {
		return err
	}
	return rig.Pause(ctx, settle)
}

// open connects as often as the arm says, and asks once over each connection.
func open(ctx context.Context, a *arm, r *running) ([]net.Conn, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil && limit.Cur < uint64(a.connections)+100 {
		return nil, fmt.Errorf("this process may open %d files; %d connections need more (ulimit -n)", limit.Cur, a.connections)
	}
	var (
		mu    sync.Mutex // guards conns and errs
		conns []net.Conn
		errs  []error
		wait  sync.WaitGroup
		turns = make(chan struct{}, a.connections)
	)
	for range a.connections {
		turns <- struct{}{}
	}
	close(turns)
	for range warmConnections {
		wait.Go(func() {
			for range turns {
				c, err := openOne(ctx, a, r)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					conns = append(conns, c)
				}
				failed := len(errs) > 0
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	wait.Wait()
	if len(errs) > 0 {
		return conns, fmt.Errorf("connection %d: %w", len(conns)+1, errs[0])
	}
	return conns, nil
}

// openOne connects and asks once.
func openOne(ctx context.Context, a *arm, r *running) (net.Conn, error) {
	d := net.Dialer{Timeout: askMax}
	c, err := d.DialContext(ctx, "tcp", r.address)
	if err != nil {
		return nil, err
	}
	if _, err := a.ask.over(c, r.address, "", "keep-alive"); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// gone counts the connections that the proxy has closed.
func gone(conns []net.Conn) int64 {
	var n int64
	for _, c := range conns {
		raw, err := c.(*net.TCPConn).SyscallConn()
		if err != nil {
			n++
			continue
		}
		_ = raw.Control(func(fd uintptr) {
			_, _, err = unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		})
		if !errors.Is(err, unix.EAGAIN) {
			n++
		}
	}
	return n
}
