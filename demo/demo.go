package demo

import (
	"context"
	_ "embed" // for demo.yaml
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"portico/client"
	"portico/node"
	"portico/spec"
	"portico/spec/status"
)

//go:embed demo.yaml
var specText []byte

// Options are what Start needs.
type Options struct {
	// Dir keeps keys and logs; it is made when it is missing.
	Dir string
	// Events takes what a person watching should see: verdicts that change.
	Events io.Writer
}

// Demo is a running deployment of two sites. It is an api.Host and an api.Drill.
type Demo struct {
	dir   string
	log   *slog.Logger
	files []io.Closer

	access io.Writer
	ctx    context.Context // ends all nodes
	stop   context.CancelFunc

	mu    sync.Mutex // guards what follows
	want  *spec.Spec
	parts []*part
}

// Start brings up every part and returns; Stop ends them.
func Start(o Options) (*Demo, error) { return start(o, specText) }

func start(o Options, text []byte) (*Demo, error) {
	if err := free(text); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	if err := prepare(o.Dir); err != nil {
		return nil, fmt.Errorf("write the demo's keys: %w", err)
	}
	d := &Demo{dir: o.Dir}
	if err := d.openLogs(o.Events); err != nil {
		return nil, err
	}
	want, report := node.Load([]spec.Source{{Name: filepath.Join(o.Dir, specFile), Dir: o.Dir, Text: text}}, "")
	if report.Fatal() {
		return nil, client.Refused(report.Problems(), report.Text())
	}
	d.want = want
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.parts = plan(want)
	for _, p := range d.parts {
		if err := d.start(p); err != nil {
			return nil, errors.Join(fmt.Errorf("start %s: %w", p.name, err), d.Stop())
		}
	}
	return d, nil
}

// free fails when the demo's addresses are in use, before the keys of a demo that
// runs are written over.
func free(text []byte) error {
	at := regexp.MustCompile(`127\.[0-9.]+:5300`).Find(text)
	ln, err := net.Listen("tcp", string(at))
	if err != nil {
		return fmt.Errorf("the demo's addresses cannot be used; is it running already? %w", err)
	}
	return ln.Close()
}

func prepare(dir string) error {
	hosts := []string{"myapp.example.com", "example.com", "www.example.com", "east-first.example.com"}
	if err := WriteKeys(dir, hosts); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, specFile), specText, 0o600)
}

func (d *Demo) openLogs(events io.Writer) error {
	log, err := os.Create(filepath.Join(d.dir, logFile))
	if err != nil {
		return err
	}
	access, err := os.Create(filepath.Join(d.dir, accessFile))
	if err != nil {
		return errors.Join(err, log.Close())
	}
	d.files = []io.Closer{log, access}
	d.access = &lockedWriter{w: access}
	d.log = slog.New(newEvents(events, slog.NewTextHandler(log, nil)))
	return nil
}

// Stop ends every part at once and closes the logs.
func (d *Demo) Stop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.parts {
		p.cut()
	}
	d.stop()
	var err error
	for _, f := range d.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Status answers the API with every node that runs, and those that were killed.
func (d *Demo) Status() []status.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	var nodes []status.Node
	for _, p := range d.parts {
		switch {
		case p.node != nil:
			nodes = append(nodes, p.node.Status())
		case p.is != nil:
			nodes = append(nodes, status.Node{Name: p.is.Name, Site: p.site, Roles: p.is.Roles, State: "killed"})
		}
	}
	return nodes
}

// Explain answers the API by asking the nodes that run, those of the client's
// path first.
func (d *Demo) Explain(tier spec.Role, q status.Question) ([]status.Answer, error) {
	d.mu.Lock()
	var at []node.Explainer
	for _, p := range d.parts {
		if p.node != nil {
			at = append(at, p.node)
		}
	}
	d.mu.Unlock()
	return node.Explain(at, tier, q)
}

// Apply answers the API: every node that runs is handed the spec. When one
// cannot apply it, those before it are handed the one before.
func (d *Demo) Apply(sources []spec.Source) (client.Applied, error) {
	want, report := node.Load(sources, "")
	if report.Fatal() {
		return client.Applied{}, client.Refused(report.Problems(), report.Text())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var applied []*node.Node
	for _, p := range d.parts {
		if p.node == nil {
			continue
		}
		if err := p.node.Apply(want); err != nil {
			for _, n := range applied {
				err = errors.Join(err, n.Apply(d.want))
			}
			return client.Applied{}, &client.Error{Message: string(p.node.Name()) + ": " + err.Error() + "; nothing was changed"}
		}
		applied = append(applied, p.node)
	}
	d.want = want
	var generation uint64
	for _, n := range applied {
		generation = max(generation, n.Status().Generation)
	}
	return client.Applied{Generation: generation, Warnings: report.Problems()}, nil
}

// Gather collects the metrics of every node that runs; each is labeled with its name.
func (d *Demo) Gather() ([]*dto.MetricFamily, error) {
	d.mu.Lock()
	var all prometheus.Gatherers
	for _, p := range d.parts {
		if p.metrics != nil {
			all = append(all, p.metrics)
		}
	}
	d.mu.Unlock()
	return all.Gather()
}

// lockedWriter lets the nodes of one process share a file.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write writes whole.
func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// Log takes the events of the process around the demo.
func (d *Demo) Log() *slog.Logger { return d.log }

// IsName reports whether an address is that of one of the demo's name servers.
func IsName(at netip.AddrPort) bool {
	return at == netip.MustParseAddrPort("127.0.1.53:5300") || at == netip.MustParseAddrPort("127.0.2.53:5300")
}
