package pipe

import "golang.org/x/sys/unix"

// A relay has as many pipes as bulk flows keep busy at one moment, which is few,
// each with room for what a socket holds.
const (
	Size         = 256 << 10 // of one
	pipesMax     = 64
	filesPerPipe = 2
	pipesPart    = 16 // of all files, so many may be for pipes: one in this many
)

// Pipe is a kernel buffer that splice fills at one end and empties at the other.
type Pipe struct{ R, W int }

func (p *Pipe) close() { _, _ = unix.Close(p.R), unix.Close(p.W) }

// Pool keeps the pipes of a loop that are not in use, and bounds how many there are.
type Pool struct {
	free []*Pipe
	most int
	made int // in use or not
}

// Init is told how many files the process may have, 0 where that is not known, and
// how many loops share them.
func (ps *Pool) Init(files, loops int) {
	most := pipesMax
	if files > 0 {
		most = min(most, files/pipesPart/filesPerPipe)
	}
	ps.most = most / loops
}

// Made is how many there are, in use or not.
func (ps *Pool) Made() int { return ps.made }

// Get returns an empty pipe, or nil when there is none to be had.
func (ps *Pool) Get() *Pipe {
	if n := len(ps.free); n > 0 {
		p := ps.free[n-1]
		ps.free = ps.free[:n-1]
		return p
	}
	if ps.made == ps.most {
		return nil
	}
	var ends [2]int
	if unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	ps.made++
	// A smaller pipe works too; what users may have in all is bounded.
	_, _ = unix.FcntlInt(uintptr(ends[0]), unix.F_SETPIPE_SZ, Size)
	return &Pipe{R: ends[0], W: ends[1]}
}

// Put takes a pipe back. One with bytes in it is closed: they must not reach
// another flow.
func (ps *Pool) Put(p *Pipe, isEmpty bool) {
	if isEmpty {
		ps.free = append(ps.free, p)
		return
	}
	p.close()
	ps.made--
}

// Close closes the pipes that are free.
func (ps *Pool) Close() {
	for _, p := range ps.free {
		p.close()
	}
	ps.free = nil
}
