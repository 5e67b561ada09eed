package accesslog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portico/l7/accesslog"
)

func entry() *accesslog.Entry {
	return &accesslog.Entry{
		Time:     time.Date(2026, 11, 23, 20, 30, 5, 123e6, time.FixedZone("", 3600)),
		Listener: "https", Client: netip.MustParseAddr("203.0.113.7"), Method: []byte("GET"),
		Host: []byte("shop.test:8443"), Target: []byte("/api/x?q=1"), Major: 1, Minor: 1, TLS: "TLS 1.3",
		Status: 200, BytesIn: 3, BytesOut: 1024, Route: "shop", Rule: 2, Group: "api",
		Address: netip.MustParseAddrPort("10.0.0.1:8080"), Retries: 1,
		Wait: 1500 * time.Nanosecond, Held: 30 * time.Millisecond, Connect: 2 * time.Millisecond, FirstByte: 1234567 * time.Microsecond, Total: 2 * time.Second,
		ID: []byte("0123abcd"), Why: "ok",
	}
}

// A line says all that is known.
func TestJSON(t *testing.T) {
	want := `{"time":"2026-11-23T19:30:05.123Z","listener":"https","client":"203.0.113.7","method":"GET","host":"shop.test:8443","path":"/api/x?q=1","protocol":"HTTP/1.1",` +
		`"status":200,"bytesIn":3,"bytesOut":1024,"duration":2,"wait":0.000001,"held":0.03,"connect":0.002,"firstByte":1.234567,` +
		`"route":"shop","rule":2,"targetGroup":"api","target":"10.0.0.1:8080","retries":1,"id":"0123abcd","reason":"ok","tls":"TLS 1.3"}` + "\n"
	if got := string(accesslog.AppendJSON(nil, entry())); got != want {
		t.Errorf("AppendJSON:\n%swant\n%s", got, want)
	}
}

// What is not known is left out, and a request without a head is logged too.
func TestJSONOfNothing(t *testing.T) {
	e := &accesslog.Entry{Time: time.Unix(0, 0), Listener: "http", Client: netip.MustParseAddr("::1"), Status: 400, Why: "client-bad-request", Detail: `http1: "x"`}
	want := `{"time":"1970-01-01T00:00:00.000Z","listener":"http","client":"::1","status":400,"bytesIn":0,"bytesOut":0,"duration":0,"wait":0,"reason":"client-bad-request","detail":"http1: \"x\""}` + "\n"
	if got := string(accesslog.AppendJSON(nil, e)); got != want {
		t.Errorf("AppendJSON:\n%swant\n%s", got, want)
	}
}

// The common format keeps its place for programs that read it, the reason comes last.
func TestCommon(t *testing.T) {
	tests := []struct {
		name string
		edit func(*accesslog.Entry)
		want string
	}{
		{"whole", func(*accesslog.Entry) {}, `203.0.113.7 - - [23/Nov/2026:20:30:05 +0100] "GET /api/x?q=1 HTTP/1.1" 200 1024 ok`},
		{"no head", func(e *accesslog.Entry) { e.Method, e.Status, e.Why = nil, 0, "client-timeout" }, `203.0.113.7 - - [23/Nov/2026:20:30:05 +0100] "-" - 1024 client-timeout`},
		{"hostile", func(e *accesslog.Entry) { e.Target = []byte("/\"\\\n\x1b\xff") }, `203.0.113.7 - - [23/Nov/2026:20:30:05 +0100] "GET /\"\\\x0a\x1b\xff HTTP/1.1" 200 1024 ok`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := entry()
			tt.edit(e)
			if got := string(accesslog.AppendCommon(nil, e)); got != tt.want+"\n" {
				t.Errorf("AppendCommon:\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// Whatever a client sends, a line is one line, bounded, and valid in its format.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "/", "\n\r\x00", `"},{"status":200`, "\xff\xfe\x1b[2J", "\u2028\u0085é𝄞\xf0\x9d", strings.Repeat("\x00", 5000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, hostile []byte) {
		e := entry()
		e.Method, e.Host, e.Target, e.Detail = hostile, hostile, hostile, string(hostile)
		line := accesslog.AppendJSON(nil, e)
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil || got["status"] != 200.0 || got["reason"] != "ok" {
			t.Errorf("%s: %v, %v", line, err, got)
		}
		for _, line := range [][]byte{line, accesslog.AppendCommon(nil, e)} {
			if len(line) > 20_000 || bytes.Count(line, []byte("\n")) != 1 || bytes.ContainsFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("line %q", line)
			}
		}
	})
}

// Building and queueing a line does not allocate.
func TestAllocates(t *testing.T) {
	l, e := accesslog.New(&bytes.Buffer{}), entry()
	e.Host = []byte("bücher.test")
	buf := make([]byte, 0, 4096)
	for range 2000 { // grow the queue
		l.Write(accesslog.AppendJSON(buf, e))
	}
	if n := testing.AllocsPerRun(100, func() {
		l.Write(accesslog.AppendJSON(buf, e))
		l.Write(accesslog.AppendCommon(buf, e))
	}); n > 0 {
		t.Errorf("a line allocates %v times", n)
	}
}

// sink is a writer that can be stuck.
type sink struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	stuck chan struct{} // nil: never
	err   error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.stuck != nil {
		<-s.stuck
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.buf.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// Lines are written within a second, at once when there are many, and at the end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		l := accesslog.New(s)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { l.Run(ctx); close(ended) }()
		l.Write([]byte("a\n"))
		synctest.Wait()
		if s.String() != "" {
			t.Error("a single line was not held back")
		}
		time.Sleep(time.Second + time.Millisecond)
		if s.String() != "a\n" {
			t.Errorf("after a second the sink holds %q", s.String())
		}
		long := append(bytes.Repeat([]byte("x"), 64<<10), '\n')
		l.Write(long)
		synctest.Wait()
		if len(s.String()) != len(long)+2 {
			t.Errorf("many lines were not written at once: %d bytes", len(s.String()))
		}
		time.Sleep(time.Minute) // nothing waits meanwhile
		before := len(s.String())
		l.Write([]byte("c\n"))
		synctest.Wait()
		if len(s.String()) != before {
			t.Error("the first line after a pause was not held back")
		}
		time.Sleep(time.Second + time.Millisecond)
		if len(s.String()) != before+2 {
			t.Errorf("a second after a pause the sink holds %d bytes, want %d", len(s.String()), before+2)
		}
		l.Write([]byte("b\n"))
		cancel()
		<-ended
		if !strings.HasSuffix(s.String(), "x\nc\nb\n") {
			t.Error("the last line is missing")
		}
	})
}

// A stuck writer costs lines, which are counted, and never blocks a request or
// the end; one that fails is counted too.
func TestStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{stuck: make(chan struct{})}
		l := accesslog.New(s)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { l.Run(ctx); close(ended) }()
		line := append(bytes.Repeat([]byte("x"), 1<<20-1), '\n')
		l.Write(line)
		synctest.Wait() // the writer has it
		for range 9 {
			l.Write(line)
		}
		if l.Dropped() != 5 {
			t.Errorf("Dropped = %d, want 5", l.Dropped())
		}
		cancel()
		start := time.Now()
		<-ended
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("the end took %v", d)
		}
		s.mu.Lock()
		s.err = errors.New("disk full")
		s.mu.Unlock()
		close(s.stuck)
		synctest.Wait()
		if l.Failed() != 2 {
			t.Errorf("Failed = %d, want 2", l.Failed())
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	l, e := accesslog.New(&bytes.Buffer{}), entry()
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		l.Write(accesslog.AppendJSON(buf, e))
	}
}
