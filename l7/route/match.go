package route

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"portico/l7/message"
	"portico/spec"
)

// alternative is one spec.Match, ready to be compared. Everything in it must hold.
type alternative struct {
	rule    *Rule
	index   int // in the rule's matches; -1 for a rule without any
	path    pathMatch
	grpc    bool // the content type is that of gRPC
	methods []string
	texts   []text // of headers, query parameters and cookies, each by name
	sources []netip.Prefix
}

// verdict says that an alternative holds, or what failed first: failsText has the
// index of the text added.
type verdict int

const (
	holds verdict = iota
	failsPath
	failsGRPC
	failsMethod
	failsConnect
	failsSource
	failsText
)

// newAlternatives compiles the matches of a rule; a rule without any has one
// that always holds.
func newAlternatives(r *Rule) ([]alternative, error) {
	if len(r.Spec.Match) == 0 {
		return []alternative{{rule: r, index: -1}}, nil
	}
	alternatives := make([]alternative, len(r.Spec.Match))
	for i := range r.Spec.Match {
		a, err := newAlternative(r, i)
		if err != nil {
			return nil, err
		}
		alternatives[i] = a
	}
	return alternatives, nil
}

func newAlternative(r *Rule, i int) (alternative, error) {
	m := &r.Spec.Match[i]
	path, err := newPath(m)
	if err != nil {
		return alternative{}, err
	}
	a := alternative{rule: r, index: i, path: path, grpc: m.GRPC != nil, methods: m.Methods}
	for _, p := range m.Sources {
		a.sources = append(a.sources, p.Masked())
	}
	for _, part := range []struct {
		place place
		texts map[string]spec.TextMatch
	}{{inHeader, m.Headers}, {inQuery, m.Query}, {inCookie, m.Cookies}} {
		// One order, so that explain says the same twice.
		for _, name := range slices.Sorted(maps.Keys(part.texts)) {
			t, err := newText(part.place, name, part.texts[name])
			if err != nil {
				return alternative{}, err
			}
			a.texts = append(a.texts, t)
		}
	}
	slices.SortStableFunc(a.texts, func(x, y text) int {
		if x.place != y.place {
			return int(x.place) - int(y.place)
		}
		return strings.Compare(x.name, y.name)
	})
	return a, nil
}

// check compares a request with the alternative, and says what failed first. What
// costs least is looked at first.
func (a *alternative) check(r *message.Request) verdict {
	if !a.path.holds(r.Path) {
		return failsPath
	}
	if a.grpc && !isGRPC(r) {
		return failsGRPC
	}
	if message.Connects(r) != a.rule.Spec.Connect {
		return failsConnect
	}
	if len(a.methods) > 0 && !slices.Contains(a.methods, string(r.Method)) {
		return failsMethod
	}
	if len(a.sources) > 0 && !a.from(r.Client.Addr()) {
		return failsSource
	}
	for i := range a.texts {
		if !a.texts[i].holds(r) {
			return failsText + verdict(i)
		}
	}
	return holds
}

// from reports whether the client is in one of the networks.
func (a *alternative) from(client netip.Addr) bool {
	client = client.Unmap()
	for i := range a.sources {
		if a.sources[i].Contains(client) {
			return true
		}
	}
	return false
}

// isGRPC reports whether a request is a call of gRPC or gRPC-Web, by its content
// type: application/grpc, with +proto and the like or -web after it.
func isGRPC(r *message.Request) bool {
	const kind = "application/grpc"
	t := message.Get(r.Fields, "content-type")
	return len(t) >= len(kind) && message.EqualFold(t[:len(kind)], kind) &&
		(len(t) == len(kind) || strings.IndexByte("+;- \t", t[len(kind)]) >= 0)
}
