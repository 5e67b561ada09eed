package cli

import (
	"fmt"
	"log/slog"
	"strings"

	"portico/client"
	"portico/config"
	"portico/node"
	"portico/spec"
	"portico/spec/status"
)

// source is where the documents of a spec come from.
type source struct {
	// read reads them anew.
	read func() ([]spec.Source, error)
	// list names the files that they are in now; nil where they are in none.
	list func() []string
}

func fileSource(path string) source {
	return source{
		read: func() ([]spec.Source, error) { return readAll([]string{path}) },
		list: func() []string {
			files, err := config.PathFiles(path)
			if err != nil {
				return []string{path} // watch for it to be right again
			}
			return files
		},
	}
}

// host is the process of one node: it reads specs for it, again when they
// change, and answers the API.
type host struct {
	node *node.Node
	path spec.Datapath // that it was told when it was run
	from source
	log  *slog.Logger
	errs Streams
	// files are those that the last spec read from the source depends on.
	files []string
	// seen is how they looked before that spec was read.
	seen fingerprint
}

// newHost reads the spec, finds which node to be, and applies it.
func newHost(io Streams, from source, o node.Options) (*host, error) {
	seen := look(from, nil)
	sources, err := from.read()
	if err != nil {
		return nil, err
	}
	want, report := node.LoadBy(sources, o.Name, o.Datapath)
	if err := report.Write(io.Err); err != nil {
		return nil, err
	}
	if report.Fatal() {
		return nil, refusal{errSaid}
	}
	if o.Name == "" {
		if o.Name, err = onlyNode(want); err != nil {
			return nil, err
		}
	}
	h := &host{from: from, path: o.Datapath, log: o.Log, errs: io, seen: seen}
	h.depend(report.Files())
	h.node = node.New(o)
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
	return node.Explain([]node.Explainer{h.node}, tier, q)
}

// Apply answers the API.
func (h *host) Apply(sources []spec.Source) (client.Applied, error) {
	report, err := h.load(sources)
	if err != nil {
		return client.Applied{}, err
	}
	return client.Applied{Generation: h.node.Status().Generation, Warnings: report.Problems()}, nil
}

// load applies what the sources say, or returns a *client.Error and changes
// nothing. The report is never nil.
func (h *host) load(sources []spec.Source) (*config.Report, error) {
	want, report := node.LoadBy(sources, h.node.Name(), h.path)
	if report.Fatal() {
		return report, client.Refused(report.Problems(), report.Text())
	}
	if err := h.node.Apply(want); err != nil {
		return report, &client.Error{Message: err.Error() + "; nothing was changed"}
	}
	return report, nil
}
