//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"portico/internal/testkit"
)

// load is the clients of a world, under way.
type load struct {
	w *world
	*process
	input io.Closer
	says  *io.PipeWriter // what read reads
	heard chan struct{}  // closed when all of it was

	mu   sync.Mutex
	last tally // guarded by mu
}

// usual is what clients do unless a drill needs something else: 100 downloads and
// 100 uploads at once that outlast the drill, and 50 short requests a second.
func usual() plan {
	return plan{
		Downloads: 100, Uploads: 100, For: 5 * time.Minute, Every: 20 * time.Millisecond,
		Stall: 15 * time.Second, Patience: 10 * time.Second,
	}
}

// load starts the clients and waits until all their transfers are under way.
func (w *world) load(p plan) *load {
	w.t.Helper()
	p.VIPs = []string{net.JoinHostPort(w.vip4, port), net.JoinHostPort(w.vip6, port)}
	if w.arm.mode == "nat" {
		p.VIPs = []string{net.JoinHostPort(w.direct(), directPort)}
	}
	text, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	argv, env := self("load", string(text))
	cmd := w.client.Command(argv[0], argv[1:]...)
	cmd.Env = env
	input, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	said, says := io.Pipe()
	l := &load{w: w, input: input, says: says, heard: make(chan struct{})}
	w.t.Cleanup(func() { _ = says.Close() })
	go l.read(said)
	l.process = start(w.t, "load", cmd, says)
	l.until("all transfers are under way", func(t tally) bool { return t.Open == p.Downloads+p.Uploads && t.OK > 10 })
	w.log("all transfers are under way")
	return l
}

// read keeps the last tally that the clients printed.
func (l *load) read(from io.Reader) {
	defer close(l.heard)
	for lines := json.NewDecoder(from); ; {
		var t tally
		if err := lines.Decode(&t); err != nil {
			return
		}
		l.mu.Lock()
		l.last = t
		l.mu.Unlock()
	}
}

// now is what the clients saw so far.
func (l *load) now() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// until waits for something to be so.
func (l *load) until(what string, so func(tally) bool) {
	l.w.t.Helper()
	testkit.Poll(l.w.t, 2*hang, func() error {
		now := l.now()
		if so(now) {
			return nil
		}
		return fmt.Errorf("the clients: %s: not so: %+v", what, now)
	})
}

// more waits until this many more short requests went well.
func (l *load) more(n int) {
	l.w.t.Helper()
	goal := l.now().OK + n
	l.until(fmt.Sprintf("%d more requests went well", n), func(t tally) bool { return t.OK >= goal })
}

// turned waits until as many transfers as run at once were begun anew.
func (l *load) turned() {
	l.w.t.Helper()
	before := l.now()
	l.until("all transfers were begun anew", func(t tally) bool { return t.Begun >= before.Begun+before.Open })
}

// end lets the clients finish and returns what they saw.
func (l *load) end() tally {
	l.w.t.Helper()
	l.w.log("the clients are to finish")
	_ = l.input.Close()
	l.ended()
	_ = l.says.Close()
	<-l.heard
	l.w.log("the clients have finished")
	return l.now()
}
