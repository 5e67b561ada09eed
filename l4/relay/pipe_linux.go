package relay

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A relay has as many pipes as bulk flows keep busy at one moment, which is few,
// each with room for what a socket holds.
const (
	pipesMax     = 64
	pipeSize     = 256 << 10
	filesPerPipe = 2
	pipesPart    = 16 // of all files, so many may be for pipes: one in this many
)

// pipe is a kernel buffer that splice fills at one end and empties at the other.
type pipe struct{ r, w int }

func (p *pipe) close() { _, _ = unix.Close(p.r), unix.Close(p.w) }

// pipes keeps the pipes that are not in use, and bounds how many there are.
type pipes struct {
	mu     sync.Mutex
	free   []*pipe
	left   int // that may still be made
	closed bool
}

func newPipes(files int) *pipes {
	most := pipesMax
	if files > 0 {
		most = min(most, files/pipesPart/filesPerPipe)
	}
	return &pipes{left: most}
}

// get returns an empty pipe, or nil when there is none to be had.
func (ps *pipes) get() *pipe {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if n := len(ps.free); n > 0 {
		p := ps.free[n-1]
		ps.free = ps.free[:n-1]
		return p
	}
	if ps.left == 0 || ps.closed {
		return nil
	}
	var ends [2]int
	if unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	ps.left--
	// A smaller pipe works too; what users may have in all is bounded.
	_, _ = unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, pipeSize)
	return &pipe{r: ends[0], w: ends[1]}
}

// put takes back a pipe that is empty.
func (ps *pipes) put(p *pipe) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		p.close()
		return
	}
	ps.free = append(ps.free, p)
}

// drop closes a pipe that is not empty: its bytes must not reach another flow.
func (ps *pipes) drop(p *pipe) {
	p.close()
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.left++
}

// close closes the pipes that are free, and those that are put back later.
func (ps *pipes) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.free {
		p.close()
	}
	ps.free, ps.closed = nil, true
}
