package drill

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"portico/cli"
	"portico/client"
	"portico/demo"
	"portico/demo/app"
	"portico/internal/testkit"
	"portico/spec/status"
)

// asProgram makes the test binary stand for the programs of a drill.
const asProgram = "PORTICO_DRILL_PROGRAM"

// pollFor is how long a drill waits for something to become true.
const pollFor = 60 * time.Second

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "portico":
		os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, "test"))
	case "shop":
		if _, err := app.HTTP(os.Args[1], os.Args[2], app.NewShop(os.Args[1], "127.0.0.1", "127.0.0.1:1").Handler()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {} // until killed
	}
	os.Exit(m.Run())
}

// deployment is the processes of one drill.
type deployment struct {
	t       *testing.T
	dir     string
	sockets string
	net     string // the first three numbers of its loopback addresses
	procs   map[string]*process
	command func(program string, args ...string) *exec.Cmd // where processes are
}

// process is one running program and what it printed.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	out  *output
	log  *accessLog
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
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

// deploy starts every node of testdata/NAME and the shops it lists, and waits
// until all of it is healthy.
func deploy(t *testing.T, name string) *deployment {
	t.Helper()
	if testing.Short() {
		t.Skip("drills take a while; run without -short")
	}
	sockets, err := os.MkdirTemp("", "drill") //nolint:usetesting // a socket's path is bounded, and t.TempDir is long
	if err != nil {
		t.Fatal(err)
	}
	network, release := testkit.Network()
	t.Cleanup(release)
	d := &deployment{t: t, dir: t.TempDir(), sockets: sockets, procs: map[string]*process{}, command: exec.Command, net: network}
	t.Cleanup(d.stop)
	if err := demo.WriteKeys(d.dir, []string{"myapp.example.com"}); err != nil {
		t.Fatal(err)
	}
	d.writeSpec(name)
	return d
}

func (d *deployment) writeSpec(name string, edits ...string) {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		d.t.Fatal(err)
	}
	spec := strings.NewReplacer(append(edits, "$NET", d.net)...).Replace(string(text))
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(string(text), edits[i]) {
			d.t.Fatalf("%s does not hold %q", name, edits[i])
		}
	}
	// A rename, so that no reader sees half a file.
	next := d.specPath() + ".next"
	if err := os.WriteFile(next, []byte(spec), 0o600); err != nil {
		d.t.Fatal(err)
	}
	if err := os.Rename(next, d.specPath()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) specPath() string { return filepath.Join(d.dir, "portico.yaml") }

// shops starts targets: NAME=LAST-NUMBER-OF-ADDRESS.
func (d *deployment) shops(names ...string) {
	for _, s := range names {
		name, last, _ := strings.Cut(s, "=")
		d.start("shop", name, name, d.net+"."+last+":8000")
	}
}

// nodes starts nodes of the spec.
func (d *deployment) nodes(names ...string) {
	for _, name := range names {
		d.start("portico", name, "run", "--config", d.specPath(), "--node", name, "--admin", "off", "--log-level", "warn")
	}
}

func (d *deployment) start(program, name string, args ...string) {
	d.t.Helper()
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	p := &process{cmd: d.command(self, args...), done: make(chan struct{}), out: &output{}, log: &accessLog{}}
	p.cmd.Env = append(os.Environ(), asProgram+"="+program, "PORTICO_SOCKETS="+d.sockets, "STATE_DIRECTORY="+filepath.Join(d.dir, "state"))
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is asked of ProcessState
		close(p.done)
	}()
	d.procs[name] = p
}

// kill ends a process as a power cut would.
func (d *deployment) kill(name string) {
	_ = d.procs[name].cmd.Process.Kill()
	<-d.procs[name].done
}

// terminate asks processes to drain, all at once, and waits until they have.
func (d *deployment) terminate(names ...string) {
	d.t.Helper()
	for _, name := range names {
		_ = d.procs[name].cmd.Process.Signal(syscall.SIGTERM)
	}
	end := time.After(pollFor)
	for _, name := range names {
		p := d.procs[name]
		select {
		case <-p.done:
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				d.t.Errorf("%s ended with %d after SIGTERM:\n%s", name, code, p.out)
			}
		case <-end:
			d.t.Fatalf("%s did not end within %v after SIGTERM", name, pollFor)
		}
	}
}

func (d *deployment) stop() {
	for name, p := range d.procs {
		_ = p.cmd.Process.Kill()
		<-p.done
		if d.t.Failed() {
			d.t.Logf("%s:\n%s", name, p.out)
		}
	}
	_ = os.RemoveAll(d.sockets)
}

// status asks one node.
func (d *deployment) status(name string) (status.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	nodes, err := client.Unix(filepath.Join(d.sockets, name+".sock")).Status(ctx)
	if err != nil || len(nodes) == 0 {
		return status.Node{}, err
	}
	return nodes[0], nil
}

// await polls a node's status until it holds what is wanted.
func (d *deployment) await(node, what string, holds func(status.Node) bool) {
	d.t.Helper()
	end := time.Now().Add(pollFor)
	var last status.Node
	var err error
	for time.Now().Before(end) {
		if last, err = d.status(node); err == nil && holds(last) {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	d.t.Fatalf("%s: %s: not so after %v; status is %+v, %v\n%s", node, what, pollFor, last, err, d.procs[node].out)
}

// verdicts reports whether each named target of a group has the verdict.
func verdicts(group string, want status.Verdict, labels ...string) func(status.Node) bool {
	return func(n status.Node) bool {
		left := len(labels)
		for _, g := range n.Groups {
			for _, t := range g.Targets {
				for _, l := range labels {
					if string(g.Name) == group && t.Label == l && t.Verdict == want {
						left--
					}
				}
			}
		}
		return left == 0
	}
}
