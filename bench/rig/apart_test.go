//go:build linux

package rig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// benchEnv has the test binary be a bench, and names the file for what it found out.
const benchEnv = "PORTICO_TEST_BENCH"

func TestMain(m *testing.M) {
	out := os.Getenv(benchEnv)
	if out == "" {
		os.Exit(m.Run())
	}
	said, err := bench()
	if err != nil {
		said = err.Error()
	}
	if err := os.WriteFile(out, []byte(said), 0o600); err != nil {
		panic(err)
	}
}

// bench is the run in a network of its own: it reports what both ends of a connection have.
func bench() (string, error) {
	apart, err := Apart(context.Background(), Usual)
	if apart || err != nil {
		return "", errors.Join(errors.New("it is not the run apart"), err)
	}
	unlock, err := Alone(context.Background(), "/no such folder/lock") // its parent has the lock
	if err != nil {
		return "", err
	}
	unlock()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	c, err := net.DialTimeout("tcp", l.Addr().String(), time.Second)
	if err != nil {
		return "", err
	}
	s, err := l.Accept()
	if err != nil {
		return "", err
	}
	return fmt.Sprint(congestionOf(c), " ", congestionOf(s), " ", Congestion()), errors.Join(c.Close(), s.Close())
}

func congestionOf(c net.Conn) (name string) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err.Error()
	}
	_ = raw.Control(func(fd uintptr) { name, _ = unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION) })
	return strings.TrimRight(name, "\x00")
}

// Both ends of connections of the run apart have the congestion control that was asked
// for.
func TestApart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root makes networks")
	}
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv(benchEnv, out)
	if apart, err := Apart(t.Context(), Usual); !apart || err != nil {
		t.Fatalf("Apart = %v, %v", apart, err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "cubic cubic cubic"; string(got) != want {
		t.Errorf("the run apart found %q, want %q", got, want)
	}
}

// The machine's own loopback is left alone, whatever the environment says.
func TestApartNowhere(t *testing.T) {
	t.Setenv(apartMark, Usual)
	if apart, err := Apart(t.Context(), Usual); apart || err == nil {
		t.Errorf("Apart = %v, %v, want an error", apart, err)
	}
}

// Without root, or with no congestion control to give, a run stays where it is.
func TestApartNot(t *testing.T) {
	if apart, err := Apart(t.Context(), ""); apart || err != nil {
		t.Errorf("Apart = %v, %v, want none", apart, err)
	}
}
