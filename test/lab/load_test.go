//go:build linux

package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// plan is what clients do, as the program of the load is told.
type plan struct {
	// VIPs are where clients go, in turns.
	VIPs []string
	// Downloads and Uploads are how many run at once; each lasts For, give or take
	// half, and is followed by another.
	Downloads, Uploads int
	For                time.Duration
	// Every is the time between two short requests.
	Every time.Duration
	// Stall is how long a transfer may make no progress, Patience how long a short
	// request may take.
	Stall, Patience time.Duration
}

// tally is what clients saw so far.
type tally struct {
	Open    int // transfers under way
	Begun   int // transfers whose connection was made
	Whole   int // transfers that went well to their end
	Broken  int // transfers that did not, after their connection was made
	OK      int // short requests
	Failed  int // short requests that failed, and transfers that got no connection
	Reasons map[string]int
	Servers map[string]int // answers by target
	// Pause is the longest time a transfer made no progress, Slowest the longest
	// that a short request took.
	Pause, Slowest time.Duration
}

// clients is the state of the load's program.
type clients struct {
	plan   plan
	finish chan struct{} // closed: no more is begun, and uploads end

	mu  sync.Mutex
	now tally // guarded by mu
}

// runLoad is the program of the load: a plan as JSON. It prints its tally at every
// pace, until its input ends and all is over.
func runLoad(args []string) int {
	c := &clients{finish: make(chan struct{}), now: tally{Reasons: map[string]int{}, Servers: map[string]int{}}}
	if err := json.Unmarshal([]byte(args[0]), &c.plan); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	over := make(chan struct{})
	go func() { c.all(); close(over) }()
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(c.finish) }()
	tick := time.NewTicker(pace)
	for {
		select {
		case <-tick.C:
			c.print()
		case <-over:
			c.print()
			return 0
		}
	}
}

func (c *clients) print() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(c.now)
}

// all runs every client until they have finished.
func (c *clients) all() {
	var running sync.WaitGroup
	repeat := func(i int, transfer func(*transfer) error) {
		running.Go(func() {
			time.Sleep(time.Duration(i) * 5 * time.Millisecond) // no herd
			for n := 0; !c.finishing(); n++ {
				c.transfer(c.plan.VIPs[(i+n)%len(c.plan.VIPs)], transfer)
			}
		})
	}
	for i := range c.plan.Downloads {
		repeat(i, (*transfer).download)
	}
	for i := range c.plan.Uploads {
		repeat(i, (*transfer).upload)
	}
	running.Go(func() { c.requests(&running) })
	running.Wait()
}

func (c *clients) finishing() bool {
	select {
	case <-c.finish:
		return true
	default:
		return false
	}
}

// requests begins short requests until it is time to finish, each on a connection of
// its own, whether those before are answered or not.
func (c *clients) requests(running *sync.WaitGroup) {
	tick := time.NewTicker(c.plan.Every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
			running.Go(func() { c.request(c.plan.VIPs[n%len(c.plan.VIPs)]) })
		case <-c.finish:
			return
		}
	}
}

func (c *clients) request(vip string) {
	began := time.Now()
	server, err := get(vip, c.plan.Patience)
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.now.Failed++
		c.now.Reasons["request: "+reason(err)]++
		return
	}
	c.now.OK++
	c.now.Servers[server]++
	c.now.Slowest = max(c.now.Slowest, took)
}

// transfer makes a connection and runs one transfer on it.
func (c *clients) transfer(vip string, run func(*transfer) error) {
	t := &transfer{c: c, vip: vip, seed: rand.Uint64(), lasts: c.plan.For/2 + rand.N(c.plan.For)}
	dialer := net.Dialer{Timeout: c.plan.Patience, Control: smallBuffer}
	conn, err := dialer.Dial("tcp", vip)
	c.mu.Lock()
	if err != nil {
		c.now.Failed++
		c.now.Reasons["transfer: "+reason(err)]++
		c.mu.Unlock()
		time.Sleep(pace)
		return
	}
	c.now.Open++
	c.now.Begun++
	c.mu.Unlock()
	t.conn = conn
	err = run(t)
	_ = conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Open--
	if err != nil {
		c.now.Broken++
		c.now.Reasons["broken: "+reason(err)]++
		return
	}
	c.now.Whole++
}

// smallBuffer lets a writer notice soon that nothing gets through.
func smallBuffer(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 2*chunk)
	})
}

// paused remembers how long a transfer made no progress.
func (c *clients) paused(since time.Time) {
	pause := time.Since(since)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now.Pause = max(c.now.Pause, pause)
}

// reason is an error without what differs from one connection to the next.
func reason(err error) string {
	var timeout net.Error
	var errno syscall.Errno
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "nothing for too long"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "ended early"
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
