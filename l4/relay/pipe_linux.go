package relay

import "golang.org/x/sys/unix"

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

// pipes keeps the pipes of a loop that are not in use, and bounds how many there are.
type pipes struct {
	free []*pipe
	left int // that may still be made
}

// init is told how many files the process may have, 0 where that is not known, and
// how many loops share them.
func (ps *pipes) init(files, loops int) {
	most := pipesMax
	if files > 0 {
		most = min(most, files/pipesPart/filesPerPipe)
	}
	ps.left = most / loops
}

// get returns an empty pipe, or nil when there is none to be had.
func (ps *pipes) get() *pipe {
	if n := len(ps.free); n > 0 {
		p := ps.free[n-1]
		ps.free = ps.free[:n-1]
		return p
	}
	if ps.left == 0 {
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

// put takes a pipe back. One with bytes in it is closed: they must not reach
// another flow.
func (ps *pipes) put(p *pipe, isEmpty bool) {
	if isEmpty {
		ps.free = append(ps.free, p)
		return
	}
	p.close()
	ps.left++
}

// close closes the pipes that are free.
func (ps *pipes) close() {
	for _, p := range ps.free {
		p.close()
	}
	ps.free = nil
}
