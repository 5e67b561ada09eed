package engine_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"portico/l7/loop"
)

// load keeps n requests going on at once, so that n target connections exist.
func (p *proxy) load(n int) {
	p.t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c := p.dial()
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				p.t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
		})
	}
	wg.Wait()
}

// together answers requests when n of them are there.
func together(n int) http.HandlerFunc {
	var mu sync.Mutex
	count, all := 0, make(chan struct{})
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		if count++; count == n {
			close(all)
		}
		mu.Unlock()
		<-all
		_, _ = io.WriteString(w, "ok")
	}
}

// TestPoolBounds proves that idle target connections are bounded in number and
// time, and that there may be none at all.
func TestPoolBounds(t *testing.T) {
	tests := []struct {
		name string
		edit func(o *loop.Options)
		want int // idle connections after ten requests at once
	}{
		{"all are kept", func(*loop.Options) {}, 10},
		{"per target", func(o *loop.Options) { o.PoolPerTarget = 3 }, 3},
		{"in all", func(o *loop.Options) { o.PoolTotal = 4 }, 4},
		{"none", func(o *loop.Options) { o.PoolIdle = -1 }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxy(t, func(_ *proxy, o *loop.Options) { tt.edit(o) })
			p.serve(together(10))
			p.load(10)
			eventually(t, "no target is in use", func() bool { return p.driver.Stats().Targets == 0 })
			eventually(t, fmt.Sprintf("%d are idle", tt.want), func() bool { return p.driver.Stats().Idle == tt.want })
		})
	}
	t.Run("for a time", func(t *testing.T) {
		p := newProxy(t, func(_ *proxy, o *loop.Options) { o.PoolIdle = 50 * time.Millisecond })
		p.serve(together(3))
		p.load(3)
		eventually(t, "none is idle", func() bool { return p.driver.Stats().Idle == 0 })
	})
}

// TestNoLeak proves that connections that came and went, in many ways, leave
// neither files nor goroutines.
func TestNoLeak(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("files are counted in /proc/self/fd")
	}
	p := newProxy(t, nil)
	p.serve(http.HandlerFunc(echo))
	ways := []func(c net.Conn){
		func(net.Conn) {},
		func(c net.Conn) { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
		func(c net.Conn) { _, _ = io.WriteString(c, "GET / HT") },
		func(c net.Conn) {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
		},
		func(c net.Conn) { _, _ = io.WriteString(c, "garbage\r\n\r\n") },
		func(c net.Conn) {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			_, _ = c.Read(make([]byte, 100))
		},
	}
	files := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before, goroutines := files(), runtime.NumGoroutine()
	for i := range 300 {
		c := p.dial()
		ways[i%len(ways)](c)
		if i%2 == 0 {
			_ = c.(*net.TCPConn).SetLinger(0)
		}
		_ = c.Close()
	}
	eventually(t, "every client is gone", func() bool { return p.driver.Stats().Clients == 0 })
	p.driver.Retain(func(addrPort) bool { return false })
	eventually(t, "files and goroutines are as before", func() bool {
		return files() <= before+2 && runtime.NumGoroutine() <= goroutines+2
	})
}
