package tlsx_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// What an event loop relies on in crypto/tls, apart from its documents: after the
// handshake it drives a tls.Conn over memory, and a Read for which there is not
// enough there ends with the error that the memory gave, whole, and changes
// nothing. These tests fail when a release of Go changes that.

// wouldBlock is what a Read of an end without bytes returns.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "would block" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock error = wouldBlock{}

// end is one end of a connection in memory. It waits for bytes until it is loose;
// then a test moves them, and nothing waits.
type end struct {
	net.Conn // nothing of it is called

	mu      sync.Mutex
	more    *sync.Cond
	in, out []byte
	peer    *end
	loose   bool
	gone    bool  // no more comes in
	refuses error // of writes
}

func ends() (a, b *end) {
	a, b = &end{}, &end{}
	a.more, b.more = sync.NewCond(&a.mu), sync.NewCond(&b.mu)
	a.peer, b.peer = b, a
	return a, b
}

func (e *end) Read(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.in) == 0 {
		switch {
		case e.gone:
			return 0, io.EOF
		case e.loose:
			return 0, errWouldBlock
		}
		e.more.Wait()
	}
	n := copy(p, e.in)
	e.in = e.in[n:]
	return n, nil
}

func (e *end) Write(p []byte) (int, error) {
	e.mu.Lock()
	loose := e.loose
	if e.refuses != nil {
		defer e.mu.Unlock()
		return 0, e.refuses
	}
	if loose {
		e.out = append(e.out, p...)
	}
	e.mu.Unlock()
	if !loose {
		e.peer.feed(p)
	}
	return len(p), nil
}

func (e *end) feed(p []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.in = append(e.in, p...)
	e.more.Broadcast()
}

// taken is what was written since it was last asked.
func (e *end) taken() []byte {
	b := e.out
	e.out = nil
	return b
}

func (e *end) Close() error                     { return nil }
func (e *end) SetDeadline(time.Time) error      { return nil }
func (e *end) SetWriteDeadline(time.Time) error { return nil }

// link is two connections after their handshake, loose.
type link struct {
	t              *testing.T
	client, server *tls.Conn
	c, s           *end
	keys           bytes.Buffer
}

func newLink(t *testing.T, version uint16) *link {
	t.Helper()
	l := &link{t: t}
	l.c, l.s = ends()
	pair := issue(t, "a", false, "a.test").Files
	certificate, err := tls.X509KeyPair(pair.Certificate.Bytes, pair.Key.Value)
	if err != nil {
		t.Fatal(err)
	}
	l.server = tls.Server(l.s, &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true})
	l.client = tls.Client(l.c, &tls.Config{MinVersion: version, MaxVersion: version, InsecureSkipVerify: true, KeyLogWriter: &l.keys})
	greeted := make(chan error, 1)
	go func() { greeted <- l.server.Handshake() }()
	if err := errors.Join(l.client.Handshake(), <-greeted); err != nil {
		t.Fatal(err)
	}
	l.c.loose, l.s.loose = true, true
	return l
}

// read gives the server bytes one at a time, and gathers what it reads after
// each; every other Read must end with the very error of the memory.
func (l *link) read(b []byte) string {
	l.t.Helper()
	var got strings.Builder
	room := make([]byte, 7) // smaller than what is sent: the rest must wait
	for i := range b {
		l.s.feed(b[i : i+1])
		for {
			n, err := l.server.Read(room)
			got.Write(room[:n])
			if err == nil {
				continue
			}
			if err != errWouldBlock { //nolint:errorlint // the loop compares so, without unwrapping
				l.t.Fatalf("byte %d of %d: %v, want the error of the memory itself", i, len(b), err)
			}
			break
		}
	}
	return got.String()
}

// versions are those whose records differ.
var versions = []struct {
	name    string
	version uint16
}{{"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}}

// TestWouldBlockRead proves that records may arrive in any pieces: what is there
// of one is kept, and nothing is lost, changed or said twice.
func TestWouldBlockRead(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			l := newLink(t, v.version)
			if n, err := l.server.Read(make([]byte, 10)); n != 0 || err != errWouldBlock { //nolint:errorlint // as above
				t.Fatalf("with nothing there Read() = %d, %v", n, err)
			}
			for _, text := range []string{"x", "a request that is longer than the room of a read", strings.Repeat("y", 20_000)} {
				if _, err := l.client.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
				if got := l.read(l.c.taken()); got != text {
					t.Errorf("read %d bytes, want the %d sent", len(got), len(text))
				}
			}
		})
	}
}

// TestWouldBlockWrite proves that a Write while half a record is there is whole at
// once, in records that the peer reads, and leaves that half alone.
func TestWouldBlockWrite(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			l := newLink(t, v.version)
			_, _ = l.client.Write([]byte("question"))
			question := l.c.taken()
			half := len(question) / 2
			if got := l.read(question[:half]); got != "" {
				t.Fatalf("half a record says %q", got)
			}
			answer := strings.Repeat("z", 40_000)
			if n, err := l.server.Write([]byte(answer)); n != len(answer) || err != nil {
				t.Fatalf("Write() = %d, %v", n, err)
			}
			l.c.feed(l.s.taken())
			got := make([]byte, len(answer))
			if _, err := io.ReadFull(l.client, got); err != nil || string(got) != answer {
				t.Errorf("the answer arrived as %d bytes, %v", len(got), err)
			}
			if got := l.read(question[half:]); got != "question" {
				t.Errorf("then the question is %q", got)
			}
		})
	}
}

// TestWriteErrorsLast proves the reason why the loop's memory takes every write
// and never says that it would block: to crypto/tls that is the end of writing.
func TestWriteErrorsLast(t *testing.T) {
	l := newLink(t, tls.VersionTLS13)
	l.s.refuses = errWouldBlock
	if _, err := l.server.Write([]byte("x")); !errors.Is(err, errWouldBlock) {
		t.Fatalf("Write() = %v", err)
	}
	l.s.refuses = nil
	if _, err := l.server.Write([]byte("x")); err == nil || len(l.s.taken()) > 0 {
		t.Error("a connection can be written to after a write would have blocked: the loop could make use of that")
	}
}

// TestReadErrorsLast proves that any other error of a read ends reading for good.
func TestReadErrorsLast(t *testing.T) {
	for _, half := range []int{0, 3, 10} {
		l := newLink(t, tls.VersionTLS13)
		_, _ = l.client.Write([]byte("question"))
		record := l.c.taken()
		l.read(record[:half])
		l.s.gone = true
		want := io.ErrUnexpectedEOF
		if half == 0 {
			want = io.EOF // though it was not announced: the loop cannot tell from this
		}
		for range 2 {
			if _, err := l.server.Read(make([]byte, 10)); !errors.Is(err, want) {
				t.Errorf("the peer vanished after %d bytes of a record: %v, want %v", half, err, want)
			}
		}
	}
}

// TestKeyUpdate proves that keys change both ways in the middle of everything: a
// peer's update, in pieces, with and without the wish that we follow.
func TestKeyUpdate(t *testing.T) {
	l := newLink(t, tls.VersionTLS13)
	if l.client.ConnectionState().CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skip("needs a processor with AES, where crypto/tls prefers it")
	}
	client := newSealer(t, l.keys.String(), "CLIENT_TRAFFIC_SECRET_0")
	server := newSealer(t, l.keys.String(), "SERVER_TRAFFIC_SECRET_0")
	say := func(text string) []byte { return client.seal(recordApplication, []byte(text)) }

	if got := l.read(append(say("one "), client.keyUpdate(false)...)); got != "one " {
		t.Fatalf("before the update: %q", got)
	}
	if b := l.s.taken(); len(b) > 0 {
		t.Errorf("an update that asks for none is answered with %q", server.open(b))
	}
	sent := bytes.Join([][]byte{say("two "), client.keyUpdate(true), say("three "), client.keyUpdate(true), say("four")}, nil)
	if got := l.read(sent); got != "two three four" {
		t.Errorf("after updates: %q", got)
	}
	// The loop must send what a Read wrote, though nobody called Write.
	if got := server.open(l.s.taken()); got != "update:0 update:0" {
		t.Errorf("the answer to two updates is %q", got)
	}
	_, _ = l.server.Write([]byte("five"))
	if got := server.open(l.s.taken()); got != "five" {
		t.Errorf("under the new key: %q", got)
	}
	// An update in the middle of a response, before it is read.
	half := say("six")
	l.read(half[:9])
	_, _ = l.server.Write([]byte("seven"))
	rest := append(half[9:], client.keyUpdate(true)...)
	if got := l.read(rest); got != "six" {
		t.Errorf("the rest of a record: %q", got)
	}
	if got := server.open(l.s.taken()); got != "seven update:0" {
		t.Errorf("what was sent meanwhile: %q", got)
	}
}

// TestCloseNotify proves that each direction ends by itself: what came before is
// read, the other direction goes on, and the end stays an end.
func TestCloseNotify(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			l := newLink(t, v.version)
			_, _ = l.client.Write([]byte("last words"))
			if err := l.client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			sent := l.c.taken()
			alert := len(sent) - 1 // the last byte of the alert
			if got := l.read(sent[:alert]); got != "last words" {
				t.Errorf("before the end: %q", got)
			}
			l.s.feed(sent[alert:])
			for range 2 {
				if n, err := l.server.Read(make([]byte, 10)); n != 0 || err != io.EOF { //nolint:errorlint // as above
					t.Errorf("after the end Read() = %d, %v, want io.EOF", n, err)
				}
			}
			if _, err := l.server.Write([]byte("answer")); err != nil {
				t.Errorf("after the client's end: %v", err)
			}
			if err := l.server.CloseWrite(); err != nil {
				t.Error(err)
			}
			l.c.feed(l.s.taken())
			if got, err := io.ReadAll(l.client); string(got) != "answer" || err != nil {
				t.Errorf("the client reads %q, %v", got, err)
			}
			if _, err := l.server.Write([]byte("x")); err == nil {
				t.Error("a write after CloseWrite succeeds")
			}
		})
	}
}

// TestTicketsAlone proves that a client whose server sent nothing but session
// tickets finds nothing to read, and keeps them: the first Read after a handshake
// is not an answer.
func TestTicketsAlone(t *testing.T) {
	c, s := ends()
	pair := issue(t, "a", false, "a.test").Files
	certificate, err := tls.X509KeyPair(pair.Certificate.Bytes, pair.Key.Value)
	if err != nil {
		t.Fatal(err)
	}
	kept := tls.NewLRUClientSessionCache(1)
	server := tls.Server(s, &tls.Config{Certificates: []tls.Certificate{certificate}})
	client := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "a.test", ClientSessionCache: kept})
	greeted := make(chan error, 1)
	go func() { greeted <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-greeted); err != nil {
		t.Fatal(err)
	}
	c.loose, s.loose = true, true
	if n, err := client.Read(make([]byte, 10)); n != 0 || err != errWouldBlock { //nolint:errorlint // as above
		t.Errorf("after the tickets Read() = %d, %v", n, err)
	}
	if session, ok := kept.Get("a.test"); !ok || session == nil {
		t.Error("the ticket was not kept")
	}
}
