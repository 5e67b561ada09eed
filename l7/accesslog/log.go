package accesslog

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueMax bounds the lines that wait for the writer, in bytes: some seconds
	// of a busy node.
	queueMax = 4 << 20
	// writeAt is how many bytes are worth a write before flushEvery has passed.
	writeAt = 64 << 10
	// flushEvery is how old a line may get before it is written.
	flushEvery = time.Second
	// lastWrite is how long the last write may take when the log is closed.
	lastWrite = time.Second
)

// Log is a queue of lines before a writer. Its methods are safe for use by
// several goroutines.
type Log struct {
	w io.Writer

	mu    sync.Mutex
	lines []byte // waiting
	spare []byte // the other buffer, when it is not being written

	some    chan struct{} // the first line came
	full    chan struct{} // lines are worth a write
	dropped atomic.Uint64
	failed  atomic.Uint64
}

// New returns a log before a writer, which Run writes to.
func New(w io.Writer) *Log {
	return &Log{w: w, some: make(chan struct{}, 1), full: make(chan struct{}, 1)}
}

// Write queues a line; it drops it when the queue is full. The line is copied.
func (l *Log) Write(line []byte) {
	l.mu.Lock()
	if len(l.lines)+len(line) > queueMax {
		l.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	before := len(l.lines)
	l.lines = append(l.lines, line...)
	wake := before < writeAt && len(l.lines) >= writeAt
	l.mu.Unlock()
	if before == 0 {
		tell(l.some)
	}
	if wake {
		tell(l.full)
	}
}

// tell leaves word, unless there is some already.
func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Dropped counts the lines that found the queue full.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Failed counts the writes that the writer refused, with all their lines.
func (l *Log) Failed() uint64 { return l.failed.Load() }

// Run writes until ctx ends, then writes what is left. It returns then, or when
// the writer was stuck for a second; the goroutine that waits for a stuck writer
// ends with it.
func (l *Log) Run(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.write(ctx)
	}()
	<-ctx.Done()
	timer := time.NewTimer(lastWrite)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// write flushes what waits, and sleeps while nothing does.
func (l *Log) write(ctx context.Context) {
	timer := time.NewTimer(flushEvery)
	defer timer.Stop()
	for {
		select {
		case <-l.some:
		case <-ctx.Done():
			l.flush()
			return
		}
		timer.Reset(flushEvery)
		select {
		case <-timer.C:
		case <-l.full:
		case <-ctx.Done(): // the next round is the last
		}
		l.flush()
	}
}

// flush writes the waiting lines; only one goroutine calls it.
func (l *Log) flush() {
	l.mu.Lock()
	lines := l.lines
	l.lines, l.spare = l.spare[:0], nil
	l.mu.Unlock()
	if len(lines) > 0 {
		if _, err := l.w.Write(lines); err != nil {
			l.failed.Add(1)
		}
	}
	l.mu.Lock()
	l.spare = lines
	l.mu.Unlock()
}
