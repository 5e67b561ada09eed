package node

import (
	"io"
	"log/slog"

	"portico/config"
	"portico/spec"
	"portico/spec/check"
)

// Load reads a spec from its text and checks it as the named node would before
// applying it. With no name, the first node of the spec is taken. The spec is
// usable only when the report is not fatal.
func Load(sources []spec.Source, name spec.NodeName) (*spec.Spec, *config.Report) {
	return LoadBy(sources, name, "")
}

// LoadBy is Load for a node that was told its datapath; "" leaves it to the spec.
func LoadBy(sources []spec.Source, name spec.NodeName, path spec.Datapath) (*spec.Spec, *config.Report) {
	want, report := config.Load(sources, Kinds())
	if want == nil {
		return nil, report
	}
	if report.Fatal() { // what could be read may have more problems; the tiers need a whole spec
		report.Add(check.Spec(want))
		return nil, report
	}
	if name == "" {
		name = firstNode(want)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	report.Add(New(Options{Name: name, Datapath: path, Log: quiet}).Check(want))
	return want, report
}

func firstNode(want *spec.Spec) spec.NodeName {
	for _, s := range want.Sites {
		for _, n := range s.Nodes {
			return n.Name
		}
	}
	return ""
}
