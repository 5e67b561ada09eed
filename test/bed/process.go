package bed

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"portico/internal/testkit"
)

// hang bounds what must happen soon; it is ten times what it takes.
const hang = 30 * time.Second

// Process is one running program.
type Process struct {
	Name string
	Out  *Output // standard output
	Err  *Output // standard error

	cmd  *exec.Cmd
	done chan struct{}
}

// Output is what a process has printed so far.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write adds to it.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// Lines are the whole lines so far.
func (o *Output) Lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(o.buf.String(), "\n")
	return lines[:len(lines)-1]
}

// String is all of it.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs a program until the test ends, and waits until it listens.
func (b *Bed) start(name, address string, env []string, path string, args ...string) *Process {
	b.tb.Helper()
	p := &Process{Name: name, Out: &Output{}, Err: &Output{}, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Dir = b.Dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.Out, p.Err
	if b.Stdout != nil {
		p.cmd.Stdout = b.Stdout
	}
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		b.tb.Fatalf("%s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is asked of ProcessState
		close(p.done)
	}()
	b.tb.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if b.tb.Failed() {
			b.tb.Logf("%s said:\n%s", name, p.Err)
		}
	})
	testkit.Poll(b.tb, hang, func() error { return p.listens(address) })
	return p
}

// listens reports why the process does not take connections at an address yet.
func (p *Process) listens(address string) error {
	if p.Ended() {
		return fmt.Errorf("%s ended: %v: %s", p.Name, p.cmd.ProcessState, p.Err)
	}
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	return c.Close()
}

// Ended reports whether the process is no more.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Terminate asks the process to finish and waits until it has; an end other than
// by exit code 0 is an error.
func (p *Process) Terminate() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.NewTimer(hang).C:
		return fmt.Errorf("%s did not end within %v after SIGTERM", p.Name, hang)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return errors.New(p.Name + " ended with " + p.cmd.ProcessState.String())
	}
	return nil
}
