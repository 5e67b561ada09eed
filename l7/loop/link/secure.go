package link

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"portico/internal/netx"
)

// recordMax is the most plain text in one TLS record (RFC 8446, section 5.1).
const recordMax = 16 << 10

// overhead is what TLS adds to what is read at once, at most: four records are begun.
const overhead = 1 << 10

// earlyMax bounds what a peer may send ahead of the handshake's next step.
const earlyMax = 64 << 10

// secure is TLS on a link. The handshake is driven by a goroutine of its own,
// which waits in wire.Read for what the loop reads; afterwards the loop drives
// the tls.Conn, whose wire then never waits: it says that it would block, which
// crypto/tls takes for no fault (a test in tlsx guards that).
type secure struct {
	l    *Link
	conn *tls.Conn

	shaking bool   // the handshake's goroutine runs; of the loop
	cipher  []byte // from the peer, not taken by conn; after the handshake
	own     []byte // memory of cipher between two readings
	ownHeld int    // what Shared.Held knows of it
	more    bool   // conn may have plain text, or the end, without another byte
	eof     bool   // the peer's sending direction ended

	mu     sync.Mutex // guards what follows, and the link's writing while shaking
	grown  sync.Cond
	early  []byte // from the peer, for the handshake
	ended  bool
	killed bool
	unsent bool // link.pend holds something of the handshake
}

// wire is the net.Conn under a tls.Conn.
type wire struct{ s *secure }

// ErrKilled is what a handshake ended with that was given up.
var ErrKilled = errors.New("the connection was given up")

// Read is what crypto/tls reads cipher text by.
func (w wire) Read(p []byte) (int, error) {
	if w.s.isShaking() {
		return w.s.await(p)
	}
	s := w.s
	if len(s.cipher) == 0 {
		if s.eof {
			return 0, io.EOF
		}
		return 0, ErrAgain
	}
	n := copy(p, s.cipher)
	s.cipher = s.cipher[n:]
	return n, nil
}

// Write is what crypto/tls writes cipher text by.
func (w wire) Write(p []byte) (int, error) {
	s := w.s
	if s.isShaking() {
		return s.push(p)
	}
	s.l.s.sealed = append(s.l.s.sealed, p...)
	return len(p), nil
}

// Close and the rest are asked by nobody: the link is closed by its loop.
func (wire) Close() error                     { return nil }
func (wire) LocalAddr() net.Addr              { return nil }
func (wire) RemoteAddr() net.Addr             { return nil }
func (wire) SetDeadline(time.Time) error      { return nil }
func (wire) SetReadDeadline(time.Time) error  { return nil }
func (wire) SetWriteDeadline(time.Time) error { return nil }

// isShaking needs no lock: it changes before the goroutine starts, and by the
// loop after the goroutine ended.
func (s *secure) isShaking() bool { return s.shaking }

// Shake begins the handshake; done is called by the loop when it is over.
func (l *Link) Shake(wrap func(net.Conn) *tls.Conn, done func(error)) {
	s := &secure{l: l, shaking: true}
	s.grown.L = &s.mu
	l.tls = s
	s.conn = wrap(wire{s})
	s.early = append(s.early, l.Rest...)
	l.Put(nil)
	l.s.loop.Beside++
	l.s.shakes.Go(func() {
		err := s.conn.Handshake()
		l.s.loop.Post(func() {
			l.s.loop.Beside--
			s.shaking = false
			s.cipher, s.early, s.eof, s.more = s.early, nil, s.ended, true
			if l.orphan {
				l.Close(true)
				return
			}
			done(err)
		})
	})
	s.listen()
}

// await waits for bytes of the handshake.
func (s *secure) await(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.early) == 0 && !s.ended && !s.killed {
		s.grown.Wait()
	}
	switch {
	case s.killed:
		return 0, ErrKilled
	case len(s.early) == 0:
		return 0, io.EOF
	}
	n := copy(p, s.early)
	s.early = s.early[:copy(s.early, s.early[n:])]
	return n, nil
}

// push sends bytes of the handshake.
func (s *secure) push(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return 0, ErrKilled
	}
	n := 0
	if !s.unsent {
		var errno unix.Errno
		if n, errno = netx.SendFD(s.l.FD, p); errno == unix.EAGAIN || errno == unix.EINTR {
			n = 0
		} else if errno != 0 {
			return 0, errno
		}
	}
	if n < len(p) {
		s.l.pend = append(s.l.pend, p[n:]...)
		s.unsent = true
	}
	return len(p), nil
}

// listen hands the handshake what there is to read, and sends what it could not.
// The loop calls it when the link is ready.
func (s *secure) listen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.l
	if s.unsent && l.Out {
		done, err := l.Flush()
		s.unsent = !done && err == nil
	}
	for l.In && len(s.early) < earlyMax && !s.ended {
		n, err := l.receive(l.s.cipher)
		s.early = append(s.early, l.s.cipher[:n]...)
		if err != nil {
			s.ended = !errors.Is(err, ErrAgain)
			break
		}
	}
	s.grown.Signal()
}

// Abandon closes a link whose owner needs it no more. While its handshake goes on
// that has to fail first.
func (l *Link) Abandon() {
	if l.tls == nil || !l.tls.shaking {
		l.Close(true)
		return
	}
	l.orphan = true
	l.tls.kill()
}

// GiveUp makes a handshake that goes on fail, and reports whether one does.
func (l *Link) GiveUp() bool {
	if l.tls == nil || !l.tls.shaking {
		return false
	}
	l.tls.kill()
	return true
}

// Encrypted reports whether the link is TLS.
func (l *Link) Encrypted() bool { return l.tls != nil }

// State is what the handshake of an encrypted link agreed on.
func (l *Link) State() tls.ConnectionState { return l.tls.conn.ConnectionState() }

// Plain goes back to plain text where the peer's first bytes were no handshake.
func (l *Link) Plain() { l.tls = nil }

// kill makes the handshake fail; done is called as ever.
func (s *secure) kill() {
	s.mu.Lock()
	s.killed = true
	s.mu.Unlock()
	s.grown.Signal()
}

// read reads plain text, up to the size of buf.
func (s *secure) read(buf []byte) (int, error) {
	for {
		if s.more {
			if n, err := s.open(buf); n > 0 || err != nil {
				return n, err
			}
		}
		// Not much more than is asked for: the rest would have to be kept.
		n, err := s.l.receive(s.l.s.cipher[:min(cipherSize, len(buf)+overhead)])
		switch {
		case n > 0:
			s.cipher = s.l.s.cipher[:n] // what was there before is used up
		case errors.Is(err, io.EOF):
			s.eof = true
		default:
			return 0, err
		}
		s.more = true
	}
}

// open decrypts into buf what is at hand.
func (s *secure) open(buf []byte) (total int, err error) {
	for s.more && (total == 0 || len(buf)-total >= recordMax) {
		var n int
		n, err = s.conn.Read(buf[total:])
		total += n
		if errors.Is(err, ErrAgain) {
			s.more, err = false, nil
		}
		if err != nil {
			break
		}
	}
	// What is left lies in the loop's memory.
	s.own = append(s.own[:0], s.cipher...)
	s.cipher = s.own
	if len(s.own) == 0 {
		s.cipher, s.own = nil, nil
	}
	s.l.s.count(&s.ownHeld, s.own)
	if said := s.say(); err == nil {
		err = said
	}
	if total > 0 {
		return total, nil // an error is met again by the next reading
	}
	return 0, err
}

// say sends what crypto/tls had to say while it read, such as its part of a key
// update.
func (s *secure) say() error {
	w := s.l.s
	if len(w.sealed) == 0 {
		return nil
	}
	_, _, err := s.sendSealed()
	return err
}

// sendSealed sends what was encrypted, or keeps it.
func (s *secure) sendSealed() (done bool, n int, err error) {
	w := s.l.s
	w.one[0] = w.sealed
	done, n, err = s.l.transmit(w.one[:])
	w.one[0], w.sealed = nil, w.sealed[:0]
	return done, n, err
}

// write encrypts segments and sends them: small ones together, because each
// write makes a record.
func (s *secure) write(segs [][]byte) (done bool, n int, err error) {
	w := s.l.s
	gathered := w.plain[:0]
	for _, seg := range segs {
		if len(gathered)+len(seg) <= cap(gathered) {
			gathered = append(gathered, seg...)
			continue
		}
		if err := s.seal(gathered); err != nil {
			return false, 0, err
		}
		gathered = gathered[:0]
		if len(seg) > cap(gathered)/2 {
			err = s.seal(seg)
		} else {
			gathered = append(gathered, seg...)
		}
		if err != nil {
			return false, 0, err
		}
	}
	if err := s.seal(gathered); err != nil {
		return false, 0, err
	}
	return s.sendSealed()
}

func (s *secure) seal(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := s.conn.Write(p)
	return err
}

// goodbye says that nothing more is sent (close_notify).
func (s *secure) goodbye() {
	if s.conn.CloseWrite() == nil {
		_ = s.say() // a peer that is gone needs no goodbye
	}
}
