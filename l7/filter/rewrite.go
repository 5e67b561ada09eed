package filter

import (
	"fmt"
	"strings"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// Rewrite is the parameters of rewrite: what the target is asked for instead.
type Rewrite struct {
	// Host is sent to the target in place of the client's.
	Host string `json:"host,omitempty"`
	Path *Path  `json:"path,omitempty"`
}

// Check refuses hosts and paths that cannot be sent.
func (r *Rewrite) Check() []spec.Problem {
	problems := checkHost("host", r.Host)
	if r.Host == "" && r.Path == nil {
		problems = append(problems, spec.Problem{What: "changes nothing", Help: "use host or path"})
	}
	return append(problems, r.Path.check()...)
}

// checkHost refuses what is neither empty, a name nor an address, with a port or without.
func checkHost(at, host string) []spec.Problem {
	if host == "" {
		return nil
	}
	bad := strings.ContainsFunc(host, func(r rune) bool {
		return !strings.ContainsRune("-._:[]", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if bad || len(host) > 255 {
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q is not a host", host), Help: "use a name such as www.example.com"}}
	}
	return nil
}

type rewrite struct {
	requestOnly
	host []byte
	path *pathChange
}

func newRewrite(params any) Filter {
	p := params.(*Rewrite)
	return &rewrite{host: []byte(p.Host), path: newPathChange(p.Path)}
}

func (f *rewrite) Request(req *message.Request, m Match, d *exchange.Decision) {
	if len(f.host) > 0 {
		req.Authority = f.host
	}
	if f.path == nil {
		return
	}
	from := len(d.Scratch)
	var ok bool
	if d.Scratch, ok = f.path.append(d.Scratch, req.Path, m.Prefix); !ok {
		d.Scratch = d.Scratch[:from]
		reject(d, m, 400, "rewrite: the new path is none")
		return
	}
	req.Path = keep(d, from)
}

func (f *rewrite) Explain(req *message.Request, m Match) string {
	var parts []string
	if len(f.host) > 0 {
		parts = append(parts, fmt.Sprintf("host %q becomes %q", req.Authority, f.host))
	}
	if f.path != nil {
		path, ok := f.path.append(nil, req.Path, m.Prefix)
		if !ok {
			return "refuses with 400: the new path is none"
		}
		parts = append(parts, fmt.Sprintf("path %q becomes %q", req.Path, path))
	}
	return strings.Join(parts, ", ")
}
