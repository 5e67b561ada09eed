//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// asProgram makes the test binary stand for a program of the lab: target or load.
// contained says that it runs in its own mount and process namespaces already, and
// holds the folder for all its files; asked says that drills run at all: make lab does.
const (
	asProgram = "PORTICO_LAB_PROGRAM"
	contained = "PORTICO_LAB_CONTAINED"
	asked     = "PORTICO_LAB"
)

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "target":
		os.Exit(runTarget(os.Args[1:]))
	case "load":
		os.Exit(runLoad(os.Args[1:]))
	}
	if os.Getenv(asked) == "" || os.Getuid() != 0 {
		os.Exit(m.Run()) // each test says what it needs
	}
	if os.Getenv(contained) == "" {
		os.Exit(contain())
	}
	if err := settle(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := results.publish(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		code = 1
	}
	os.Exit(code)
}

// contain runs the tests again in mount and process namespaces of their own. When
// they end, or this process does, the kernel ends every process in them and forgets
// their mounts: network namespaces and what is pinned in bpffs.
func contain() int {
	runtime.LockOSThread() // the parent that a death signal is about is a thread
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), contained+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "lab: namespaces:", err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// settle mounts what the lab must not share.
func settle() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return err
	}
	for _, m := range []struct{ fs, at string }{{"proc", "/proc"}, {"tmpfs", "/run/netns"}, {"bpf", "/sys/fs/bpf"}} {
		if err := unix.Mount(m.fs, m.at, m.fs, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	return nil
}

// ofLab skips a drill outside of make lab.
func ofLab(t *testing.T) {
	t.Helper()
	if os.Getenv(asked) == "" {
		t.Skip("a drill of make lab")
	}
}
