package h2

import (
	"time"

	"portico/l7/h2/frame"
	"portico/l7/h2/hpack"
)

// Options are what a Conn is started with.
type Options struct {
	// Client says that we open the streams.
	Client bool
	// TLS says that the connection is encrypted: what is sent has the scheme https.
	TLS bool
	// Connect says that a client may open tunnels (RFC 8441).
	Connect bool
	// Limits bound what a client may make us hold and do; nil means the defaults.
	Limits *Limits
	// Head bounds the octets of a head, and Fields its fields; 0 means 16 KiB and 100.
	Head, Fields int
	// Window is how much a stream may send before anything of it was taken, from
	// 64 KiB on; 0 means that. It grows for one whose data is taken as it comes.
	Window int
	// Greeting bounds the time for the peer's first frame, a head that comes in
	// parts, and the acknowledgement of settings; 0 means 10 s.
	Greeting time.Duration
	// Idle is how long a connection without streams is kept; 0 means for good.
	Idle time.Duration
	// Age is how long a connection takes new streams; 0 means for good.
	Age time.Duration
	// Ping is after how much silence, while there are streams, the peer is asked
	// whether it lives; it has as long again to answer. 0 means never.
	Ping time.Duration
}

const (
	headDefault     = 16 << 10
	fieldsDefault   = 100
	greetingDefault = 10 * time.Second
	// outMax is how much output waits for the driver before data does.
	outMax = 128 << 10
	// outGone is how much more a peer may have us answer without reading it.
	outGone = 256 << 10
)

// Preface is what a client that knows beforehand to speak HTTP/2 sends first.
const Preface = frame.Preface

// Shared is memory that connections of one owner use in turns. It is not safe for
// use by several goroutines at once.
type Shared struct {
	// Held counts the bytes of memory that data of streams waits in.
	Held int
	// Tight says that windows are not to grow: there is little memory left.
	Tight bool

	streams []*Stream
	buffers [][]byte
	kept    int // bytes of buffers
}

const (
	// sharedMax bounds the streams that are kept, and keptMax the bytes of buffers:
	// enough for busy connections to take turns, and little when they are gone.
	sharedMax = 1024
	keptMax   = 4 << 20
	// bufferSize is what a buffer begins with; what grew beyond bufferMax is let go.
	bufferSize = 16 << 10
	bufferMax  = 256 << 10
)

// count has Held know of the memory that b is now, of which it knew at.
func (sh *Shared) count(at *int, b []byte) {
	sh.Held += cap(b) - *at
	*at = cap(b)
}

func (sh *Shared) buffer() []byte {
	if n := len(sh.buffers); n > 0 {
		b := sh.buffers[n-1]
		sh.buffers[n-1] = nil
		sh.buffers = sh.buffers[:n-1]
		sh.kept -= cap(b)
		return b
	}
	return make([]byte, 0, bufferSize)
}

// free takes a buffer back; nil is fine.
func (sh *Shared) free(b []byte) {
	if cap(b) >= bufferSize && cap(b) <= bufferMax && sh.kept+cap(b) <= keptMax {
		sh.buffers = append(sh.buffers, b[:0])
		sh.kept += cap(b)
	}
}

// Conn is one connection. It is not safe for use by several goroutines at once.
//
// After Bytes, Tick, Wrote and every call that sends, the owner calls Next until
// there is no event, and writes what Output yields when it likes.
type Conn struct {
	o       Options
	sh      *Shared
	now     time.Time
	dec     hpack.Decoder
	streams map[uint32]*Stream
	held    int // streams that the owner did not close yet
	peer    peer

	reader
	sender
	events
	guard

	lastPeer uint32 // the highest stream that the peer opened
	nextID   uint32 // that we open next
	goal     goal
	goneAt   uint32 // the last stream that the peer took, after its GOAWAY
	deaf     bool   // the peer sent GOAWAY: we open no more streams
	broken   *Error // no frame is read any more
	timers
}

// goal is how far a connection is on its way to its end.
type goal uint8

const (
	serving goal = iota
	warned       // GOAWAY was sent that refuses nothing yet
	leaving      // new streams are refused
)

// Start makes c serve a connection that was just opened, whatever it served
// before, with memory of sh.
func (c *Conn) Start(o Options, sh *Shared, now time.Time) {
	if o.Limits == nil {
		o.Limits = DefaultLimits()
	}
	o.Head, o.Fields = or(o.Head, headDefault), or(o.Fields, fieldsDefault)
	o.Window = min(max(o.Window, frame.WindowStart), max(o.Limits.StreamWindow, frame.WindowStart))
	if o.Greeting <= 0 {
		o.Greeting = greetingDefault
	}
	streams, dec := c.streams, c.dec
	if streams == nil {
		streams = make(map[uint32]*Stream)
	}
	*c = Conn{o: o, sh: sh, now: now, dec: dec, streams: streams, peer: defaults(), nextID: 1}
	c.dec.Reset()
	c.window, c.recv = frame.WindowStart, frame.WindowStart
	c.out = sh.buffer()
	if o.Client {
		c.out = append(c.out, frame.Preface...)
	} else {
		c.greeting = frame.Preface
	}
	c.startAt, c.ackAt = now.Add(o.Greeting), now.Add(o.Greeting)
	if o.Age > 0 {
		c.oldAt = now.Add(o.Age)
	}
	c.appendSettings()
	c.connWindow = int32(max(o.Limits.ConnWindow, frame.WindowStart))
	if more := c.connWindow - frame.WindowStart; more > 0 {
		c.out = frame.AppendWord(c.out, frame.Window, 0, uint32(more))
		c.recv += more
	}
	c.rest()
}

func or(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

// Err is why the connection broke; nil as long as it did not.
func (c *Conn) Err() error {
	if c.broken == nil {
		return nil
	}
	return c.broken
}

// Done reports that the connection is over: what Output still yields is the last,
// and then it is to be closed.
func (c *Conn) Done() bool {
	return c.broken != nil || c.held == 0 && (c.goal == leaving || c.deaf && c.o.Client)
}

// Streams is how many streams there are.
func (c *Conn) Streams() int { return c.held }

// fail ends the connection, whose streams are gone with it.
func (c *Conn) fail(code Code, reason string) {
	if c.broken != nil {
		return
	}
	c.appendGoAway(c.lastPeer, code)
	c.lose(&Error{Code: code, Reason: reason})
}

// Lost tells c that the peer's bytes ended or cannot be read, or that it takes no
// more of ours.
func (c *Conn) Lost(now time.Time) {
	c.now = now
	if c.broken == nil {
		c.lose(&Error{Code: NoError, Reason: "connection closed"})
	}
}

func (c *Conn) lose(err *Error) {
	c.broken = err
	c.block, c.ev = nil, Event{}
	for _, s := range c.streams {
		c.gone(s, err, s.id > c.goneAt && c.deaf)
	}
	c.timers = timers{}
}

func (c *Conn) appendGoAway(last uint32, code Code) {
	c.out = frame.Append(c.out, 8, frame.GoAway, 0, 0)
	c.out = append(c.out, byte(last>>24), byte(last>>16), byte(last>>8), byte(last))
	c.out = append(c.out, byte(code>>24), byte(code>>16), byte(code>>8), byte(code))
}

// Drain asks c to end once its streams did. A server first says so and takes what
// is on its way (RFC 9113, section 6.8).
func (c *Conn) Drain(now time.Time) {
	c.now = now
	switch {
	case c.broken != nil || c.goal != serving:
	case c.o.Client:
		c.goal = leaving
	default:
		c.goal = warned
		c.appendGoAway(frame.IDMax, NoError)
		c.leaveAt = now.Add(warnTime)
	}
}

// leave refuses new streams from here on.
func (c *Conn) leave() {
	c.goal, c.leaveAt = leaving, time.Time{}
	c.appendGoAway(c.lastPeer, NoError)
}

// goAway is that the peer takes no new streams, and none after the last it names.
func (c *Conn) goAway(f frame.Head, p []byte) {
	switch {
	case f.Stream != 0:
		c.fail(ProtocolError, "GOAWAY on a stream")
		return
	case len(p) < 8:
		c.fail(FrameSizeError, "GOAWAY of a wrong size")
		return
	case !c.afford(&c.chatter, c.o.Limits.Control, "GOAWAY"):
		return
	}
	last := word(p) & frame.IDMax
	c.deaf = true
	c.goneAt = last
	if !c.o.Client {
		return
	}
	err := &Error{Code: Code(word(p[4:])), Reason: "stream refused by GOAWAY"}
	for id, s := range c.streams {
		if id > last {
			c.gone(s, err, true)
		}
	}
}

func word(p []byte) uint32 {
	return uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
}
