//go:build linux

package lab

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hang bounds what must happen soon; it is ten times what it takes on a busy machine.
const hang = time.Minute

// The signals that programs are sent.
const (
	terminate = syscall.SIGTERM
	handOver  = syscall.SIGUSR2
	hangup    = syscall.SIGHUP
	freeze    = syscall.SIGSTOP
)

// process is one program of the lab, from its start to its end.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
}

// output is what a process has said.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs a command until the test ends. Its output is shown when the test fails;
// stdout may be read elsewhere.
func start(t *testing.T, name string, cmd *exec.Cmd, stdout io.Writer) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, out: &output{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = stdout, p.out
	if stdout == nil {
		cmd.Stdout = p.out
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is asked of ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.out)
		}
	})
	return p
}

// self is this binary as one of its programs.
func self(program string, args ...string) (argv, env []string) {
	return append([]string{os.Args[0]}, args...), append(os.Environ(), asProgram+"="+program)
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process as SIGKILL does, and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// terminate asks the process to finish and waits until it has.
func (p *process) terminate() {
	p.t.Helper()
	p.signal(terminate)
	p.ended()
}

// handOver asks the process to end for a successor and waits until it has.
func (p *process) handOver() {
	p.t.Helper()
	p.signal(handOver)
	p.ended()
}

// ended waits until the process has ended well.
func (p *process) ended() {
	p.t.Helper()
	select {
	case <-p.done:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			p.t.Errorf("%s ended with %v", p.name, p.cmd.ProcessState)
		}
	case <-time.After(2 * hang):
		p.t.Fatalf("%s did not end within %v", p.name, 2*hang)
	}
}

func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
