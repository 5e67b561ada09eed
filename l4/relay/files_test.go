package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"portico/internal/netx"
	"portico/l4/relay"
	"portico/target"
)

// fillEnv makes the test binary a relay with few files: "VIP TARGET".
const fillEnv = "PORTICO_TEST_L4_FILES"

// filesFew leaves the relay flows for (64-16)/2 = 24.
const (
	filesFew = 64
	flowsFew = 24
)

// fillFiles is the child: it fills its file table and frees it as it is told.
func fillFiles() {
	var vipText, targetText string
	_, _ = fmt.Sscan(os.Getenv(fillEnv), &vipText, &targetText)
	want := tcpSpec(netip.MustParseAddrPort(vipText), netip.MustParseAddrPort(targetText))
	want.Drain = 0
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: filesFew, Max: filesFew}); err != nil {
		panic(err)
	}
	groups := target.New(target.Options{})
	r := relay.New(relay.Options{Self: self, Groups: groups, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err := groups.Apply(groupsOf(want)); err != nil {
		panic(err)
	}
	if err := r.Apply(want); err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	fmt.Println("ready")
	var fill []*os.File
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "fill":
			for {
				f, err := os.Open(os.DevNull)
				if err != nil {
					break
				}
				fill = append(fill, f)
			}
		case "free":
			for _, f := range fill {
				_ = f.Close()
			}
			fill = nil
		}
		fmt.Println(in.Text(), "done")
	}
	stop()
	running.Wait()
}

// child is a relay in a process of its own.
type child struct {
	t    *testing.T
	vip  netip.AddrPort
	in   io.Writer
	out  *bufio.Scanner
	logs *logs
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), what)
}

func startChild(t *testing.T) *child {
	t.Helper()
	c := &child{t: t, vip: free(t, "127.0.1.10"), logs: new(logs)}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fillEnv+"="+c.vip.String()+" "+server(t, "127.0.2.1", echo).String())
	cmd.Stderr = c.logs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child ended with %v:\n%s", err, c.logs.b.String())
		}
	})
	c.in, c.out = in, bufio.NewScanner(out)
	c.expect("ready")
	return c
}

func (c *child) tell(what string) {
	c.t.Helper()
	_, _ = fmt.Fprintln(c.in, what)
	c.expect(what + " done")
}

func (c *child) expect(line string) {
	c.t.Helper()
	if !c.out.Scan() || c.out.Text() != line {
		c.t.Fatalf("the child says %q, want %q", c.out.Text(), line)
	}
}

// While the file table is full, open flows go on and new clients wait; when it
// is not any more, they are served. It is said once when it begins and once when
// it ends.
func TestFileTableFillsAndRecovers(t *testing.T) {
	c := startChild(t)
	old := dial(t, c.vip)
	say(t, old, "hello")
	hear(t, old, "hello")
	c.tell("fill")
	waiting := dial(t, c.vip)
	say(t, waiting, "hello")
	eventually(t, "the child logs that accepting is paused", func() bool { return c.logs.count("accepting paused") == 1 })
	say(t, old, "still")
	hear(t, old, "still")
	_ = waiting.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := waiting.Read(make([]byte, 1)); n > 0 || netx.IsReset(err) {
		t.Errorf("with a full file table a client reads %d, %v, want it to wait", n, err)
	}
	c.tell("free")
	_ = waiting.SetReadDeadline(time.Now().Add(hang))
	hear(t, waiting, "hello")
	next := dial(t, c.vip)
	say(t, next, "hello")
	hear(t, next, "hello")
	if paused, again := c.logs.count("accepting paused"), c.logs.count("accepting again"); paused != 1 || again != 1 {
		t.Errorf("logged %d times that accepting is paused and %d that it is again, want once each", paused, again)
	}
}

// The relay takes no more flows than the process has files for, with some kept
// back, and resets those beyond at once.
func TestFlowsBoundedByFiles(t *testing.T) {
	c := startChild(t)
	var open []*net.TCPConn
	for range flowsFew {
		f := dial(t, c.vip)
		say(t, f, "hello")
		hear(t, f, "hello")
		open = append(open, f)
	}
	refused(t, c.vip)
	_ = open[0].Close()
	eventually(t, "a flow is taken after one ended", func() bool {
		f, err := netx.Dialer{}.Dial(t.Context(), c.vip)
		if err != nil {
			return false
		}
		defer func() { _ = f.Close() }()
		_ = f.SetDeadline(time.Now().Add(hang))
		_, _ = io.WriteString(f, "hello")
		_, err = io.ReadFull(f, make([]byte, 5))
		return err == nil
	})
	if n := c.logs.count("accepting paused"); n != 0 {
		t.Errorf("accepting paused %d times, want never", n)
	}
}
