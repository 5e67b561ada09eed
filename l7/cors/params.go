package cors

import (
	"fmt"
	"strings"

	"portico/l7/http1"
	"portico/spec"
)

// Params are the parameters of the filter cors: which pages of other origins may use the site
// (the Fetch standard, section 3.2). A browser asks before it sends what a form
// could not; that question is answered here.
type Params struct {
	Origins []Origin `json:"origins" required:"true"`
	// Methods beyond GET, HEAD and POST; * is every one.
	Methods []string `json:"methods,omitempty"`
	// Headers a page may send beyond the usual ones; * is every one.
	Headers []string `json:"headers,omitempty"`
	// Expose lists headers of answers a page may read beyond the usual ones.
	Expose []string `json:"expose,omitempty"`
	// Credentials lets pages send cookies and read the answer.
	Credentials bool `json:"credentials,omitempty"`
	// MaxAge is how long a browser may remember the answer to its question.
	MaxAge spec.Duration `json:"maxAge,omitempty" default:"10m" range:"0s..24h"`
}

// Check refuses origins and names that no browser sends.
func (p *Params) Check() []spec.Problem {
	var problems []spec.Problem
	if len(p.Origins) == 0 {
		problems = append(problems, spec.Problem{Path: "origins", What: "no origin is listed", Help: "write one such as https://app.example.com"})
	}
	for i, o := range p.Origins {
		if _, err := New([]Origin{o}); err != nil {
			what, help, _ := strings.Cut(err.Error(), "; ")
			problems = append(problems, spec.Problem{Path: spec.At("origins", i), What: what, Help: help})
		}
		if o.Name == Any && p.Credentials {
			problems = append(problems, spec.Problem{
				Path: spec.At("origins", i),
				What: "every page there is could act as the user", Help: "list the origins, or leave credentials out",
			})
		}
	}
	for _, part := range []struct {
		key   string
		names []string
	}{{"methods", p.Methods}, {"headers", p.Headers}, {"expose", p.Expose}} {
		for i, name := range part.names {
			at := spec.At(part.key, i)
			switch {
			case !http1.ValidName([]byte(name)):
				problems = append(problems, spec.Problemf(at, "%q is not the name of a %s", name, map[bool]string{true: "method", false: "header"}[part.key == "methods"]))
			case part.key == "methods" && isSmall(name):
				upper := strings.ToUpper(name)
				problems = append(problems, spec.Problem{
					Path: at, Level: spec.Warning,
					What: fmt.Sprintf("browsers ask for %q, and compare it with its case", upper), Help: fmt.Sprintf("write %q", upper),
				})
			case name == Any && len(part.names) > 1:
				problems = append(problems, spec.Problem{Path: at, What: "* is every one", Help: "write it alone"})
			}
		}
	}
	return problems
}

// isSmall reports whether a method is one that browsers write in capitals (the
// Fetch standard, section 2.2.1), or PATCH, and here is not.
func isSmall(method string) bool {
	switch upper := strings.ToUpper(method); upper {
	case "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT":
		return method != upper
	}
	return false
}
