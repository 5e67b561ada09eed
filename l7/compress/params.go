package compress

import (
	"fmt"
	"slices"
	"strings"

	"portico/spec"
)

// Params are the parameters of the filter compress: answers of targets that are text leave
// in an encoding the client reads.
type Params struct {
	// Encodings are offered in this order, where a client weighs them alike; none
	// means all of zstd, br and gzip.
	Encodings []string `json:"encodings,omitempty" enum:"zstd|br|gzip"`
	// Types are media types, or all of a kind (text/*); none means typesDefault.
	Types []string `json:"types,omitempty"`
	// MinSize is the least length a body must have, where it is known.
	MinSize spec.Size `json:"minSize,omitempty" default:"1KiB" range:"1B..1GiB"`
	Level   Level     `json:"level,omitempty" default:"balanced" enum:"fast|balanced|small"`
	// Concurrent is how many answers are compressed at once; others go as they are.
	Concurrent int `json:"concurrent,omitempty" default:"256" range:"1..65536"`
}

// typesDefault are those that become much smaller.
var typesDefault = [...]string{
	"text/*", "application/json", "application/*+json", "application/javascript", "application/xml", "application/*+xml",
	"application/x-javascript", "application/x-ndjson", "application/wasm", "application/manifest+json", "application/graphql",
	"image/svg+xml", "font/ttf", "font/otf", "application/vnd.ms-fontobject",
}

const (
	// ConcurrentDefault is Params.Concurrent where it is not given.
	ConcurrentDefault = 256
	minSizeDefault    = 1 << 10
)

// typesMax bounds the types of one filter.
const typesMax = 100

// Check refuses what is no media type.
func (p *Params) Check() []spec.Problem {
	var problems []spec.Problem
	if len(p.Types) > typesMax {
		problems = append(problems, spec.Problemf("types", "there are %d types; at most %d are allowed", len(p.Types), typesMax))
	}
	for i, t := range p.Types {
		kind, sub, ok := strings.Cut(t, "/")
		if bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) }; !ok || kind == "" || sub == "" ||
			strings.ContainsFunc(kind, bad) || strings.ContainsFunc(sub, bad) || strings.Count(t, "*") > 1 || strings.Contains(kind, "*") {
			problems = append(problems, spec.Problem{
				Path: spec.At("types", i), What: fmt.Sprintf("%q is not a media type", t),
				Help: "use one such as text/html, text/* or application/*+json",
			})
		}
	}
	for i, name := range p.Encodings {
		switch _, ok := Parse(name); {
		case !ok || name == None.String():
			problems = append(problems, spec.Problemf(spec.At("encodings", i), "%q is not an encoding; use zstd, br or gzip", name))
		case slices.Contains(p.Encodings[:i], name):
			problems = append(problems, spec.Problemf(spec.At("encodings", i), "%s is given twice", name))
		}
	}
	if p.Level != "" && p.Level != Fast && p.Level != Balanced && p.Level != Small {
		problems = append(problems, spec.Problemf("level", "%q is not a level; use fast, balanced or small", p.Level))
	}
	return problems
}
