package cli

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"portico/client"
	"portico/config"
	"portico/node"
	"portico/spec"
	"portico/spec/status"
)

// source reads the documents of a spec anew.
type source func() ([]config.Source, error)

func fileSource(path string) source {
	return func() ([]config.Source, error) { return readAll([]string{path}) }
}

// host is the process of one node: it reads specs for it, again when they
// change, and answers the API.
type host struct {
	node *node.Node
	from source
	log  *slog.Logger
	errs Streams
	// files are those the spec was read from, watched for changes.
	files []string
}

// newHost reads the spec, finds which node to be, and applies it.
func newHost(io Streams, from source, self spec.NodeName, log *slog.Logger, metrics prometheus.Registerer) (*host, error) {
	sources, err := from()
	if err != nil {
		return nil, err
	}
	want, report := node.Load(sources, self)
	if err := report.Write(io.Err); err != nil {
		return nil, err
	}
	if report.Fatal() {
		return nil, refusal{errSaid}
	}
	if self == "" {
		if self, err = onlyNode(want); err != nil {
			return nil, err
		}
	}
	h := &host{from: from, log: log, errs: io, files: report.Files()}
	h.node = node.New(node.Options{Name: self, Log: log, AccessLog: io.Out, Metrics: metrics})
	if err := h.node.Apply(want); err != nil {
		return nil, err
	}
	return h, nil
}

func onlyNode(want *spec.Spec) (spec.NodeName, error) {
	var names []string
	for _, s := range want.Sites {
		for _, n := range s.Nodes {
			names = append(names, string(n.Name))
		}
	}
	if len(names) == 1 {
		return spec.NodeName(names[0]), nil
	}
	if len(names) == 0 {
		return "", refusal{fmt.Errorf("the spec has no node to be; add one to sites[].nodes")}
	}
	return "", refusal{fmt.Errorf("the spec has %d nodes; say which to be with --node: %s", len(names), strings.Join(names, ", "))}
}

// Status answers the API.
func (h *host) Status() []status.Node { return []status.Node{h.node.Status()} }

// Explain answers the API.
func (h *host) Explain(tier spec.Role, q status.Question) ([]status.Answer, error) {
	return explainAt([]node.Explainer{h.node}, tier, q)
}

func explainAt(at []node.Explainer, tier spec.Role, q status.Question) ([]status.Answer, error) {
	if tier == "" {
		return node.Explain(at, q)
	}
	for _, e := range at {
		if a, ok, err := e.ExplainTier(tier, q); ok || err != nil {
			return []status.Answer{a}, err
		}
	}
	return []status.Answer{}, nil
}

// Apply answers the API.
func (h *host) Apply(sources []client.Source) (client.Applied, error) {
	report, err := h.load(fromWire(sources))
	if err != nil {
		return client.Applied{}, err
	}
	return client.Applied{Generation: h.node.Status().Generation, Warnings: located(report)}, nil
}

// load applies what the sources say, or returns a *client.Error and changes nothing.
func (h *host) load(sources []config.Source) (*config.Report, error) {
	want, report := node.Load(sources, h.node.Name())
	if report.Fatal() {
		var text bytes.Buffer
		_ = report.Write(&text) // a buffer takes everything
		return nil, &client.Error{
			Message:  fmt.Sprintf("the spec has %d problems; nothing was changed", len(report.Problems())),
			Problems: located(report),
			Text:     text.String(),
		}
	}
	if err := h.node.Apply(want); err != nil {
		return nil, &client.Error{Message: err.Error() + "; nothing was changed"}
	}
	return report, nil
}

// watchEvery is how often files are looked at. Looking costs one stat a file.
const watchEvery = time.Second

// watch applies the spec again when a file of it changes, or on a signal. A spec
// that cannot be applied is logged and the one before goes on serving.
func (h *host) watch(ctx context.Context, hangup <-chan os.Signal) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	seen := fingerprint(h.files)
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			forced = true
		case <-tick.C:
		}
		now := fingerprint(h.files)
		if now == seen && !forced {
			continue
		}
		h.reload()
		seen = fingerprint(h.files)
	}
}

func (h *host) reload() {
	sources, err := h.from()
	if err == nil {
		var report *config.Report
		if report, err = h.load(sources); err == nil {
			h.files = report.Files()
			return
		}
	}
	h.log.Error("spec not applied; the one before goes on serving", "error", err)
	if refused, ok := err.(*client.Error); ok && refused.Text != "" { //nolint:errorlint // load returns it unwrapped
		_, _ = fmt.Fprint(h.errs.Err, refused.Text)
	}
}

// fingerprint changes when any of the files does.
func fingerprint(files []string) string {
	var b bytes.Buffer
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			fmt.Fprintf(&b, "%s gone\n", f)
			continue
		}
		fmt.Fprintf(&b, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}
