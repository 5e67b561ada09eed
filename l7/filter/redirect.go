package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/spec"
)

// Redirect is the parameters of redirect. What is not given stays as the client
// had it.
type Redirect struct {
	Scheme string `json:"scheme,omitempty" enum:"http|https"`
	Host   string `json:"host,omitempty"`
	// Port of the new URL; 0 means that of the scheme where the scheme changes,
	// else the one the client used.
	Port uint16 `json:"port,omitempty" range:"0..65535"`
	Path *Path  `json:"path,omitempty"`
	// Query keeps the client's query or drops it.
	Query string `json:"query,omitempty" default:"keep" enum:"keep|drop"`
	Code  int    `json:"code,omitempty" default:"302" enum:"301|302|303|307|308"`
}

var redirectCodes = []int{0, 301, 302, 303, 307, 308}

// Check refuses what is no URL, and redirects back to the same one.
func (r *Redirect) Check() []spec.Problem {
	problems := checkHost("host", r.Host)
	if strings.ContainsRune(r.Host, ':') && !strings.HasPrefix(r.Host, "[") {
		problems = append(problems, spec.Problem{Path: "host", What: fmt.Sprintf("%q holds a port", r.Host), Help: "use port for it"})
	}
	if !slices.Contains(redirectCodes, r.Code) {
		problems = append(problems, spec.Problemf("code", "%d is not a redirect; use 301, 302, 303, 307 or 308", r.Code))
	}
	if r.Scheme != "" && r.Scheme != "http" && r.Scheme != "https" {
		problems = append(problems, spec.Problemf("scheme", "%q is not a scheme; use http or https", r.Scheme))
	}
	if r.Query != "" && r.Query != "keep" && r.Query != "drop" {
		problems = append(problems, spec.Problemf("query", "%q is not what becomes of a query; use keep or drop", r.Query))
	}
	if r.Scheme == "" && r.Host == "" && r.Port == 0 && r.Path == nil && r.Query != "drop" {
		problems = append(problems, spec.Problem{What: "redirects to the same URL", Help: "use scheme, host, port or path"})
	}
	return append(problems, r.Path.check()...)
}

type redirect struct {
	requestOnly
	to   Redirect
	path *pathChange
}

func newRedirect(params any) Filter {
	f := &redirect{to: *params.(*Redirect)}
	f.path = newPathChange(f.to.Path)
	if f.to.Code == 0 {
		f.to.Code = 302
	}
	return f
}

func (f *redirect) Request(req *message.Request, m Match, d *exchange.Decision) {
	from := len(d.Scratch)
	var ok bool
	if d.Scratch, ok = f.to.append(d.Scratch, req, m, f.path); !ok {
		d.Scratch = d.Scratch[:from]
		reject(d, m, 400, "redirect: the new path is none")
		return
	}
	redirectTo(d, f.to.Code, keep(d, from))
}

func (f *redirect) Explain(req *message.Request, m Match) string {
	location, ok := f.to.append(nil, req, m, f.path)
	if !ok {
		return "refuses with 400: the new path is none"
	}
	return fmt.Sprintf("%d to %s", f.to.Code, location)
}

// Answer makes a redirect the answer to a request; location appends its URL.
func Answer(d *exchange.Decision, code int, location func(dst []byte) []byte) {
	from := len(d.Scratch)
	d.Scratch = location(d.Scratch)
	redirectTo(d, code, keep(d, from))
}

func redirectTo(d *exchange.Decision, code int, location []byte) {
	d.Answer.Status, d.Answer.Body = code, []byte{}
	d.Answer.Fields = append(d.Answer.Fields[:0], message.Field{Name: locationName, Value: location})
	d.Fixed = &d.Answer
}

var locationName = []byte("Location")

// Append writes the URL that a request is sent to by a redirect that leaves the
// path as it is.
func (r *Redirect) Append(dst []byte, req *message.Request, m Match) []byte {
	dst, _ = r.append(dst, req, m, nil)
	return dst
}

// append writes the URL that a request is sent to. It is absolute, so that no path
// can be taken for a host. It is false where the new path is none.
func (r *Redirect) append(dst []byte, req *message.Request, m Match, change *pathChange) ([]byte, bool) {
	https := m.HTTPS
	if r.Scheme != "" {
		https = r.Scheme == "https"
	}
	if https {
		dst = append(dst, "https://"...)
	} else {
		dst = append(dst, "http://"...)
	}
	host, port := splitPort(req.Authority)
	if r.Host != "" {
		dst = append(dst, r.Host...)
	} else {
		dst = append(dst, host...)
	}
	usual := uint16(80)
	if https {
		usual = 443
	}
	switch {
	case r.Port != 0 && r.Port != usual:
		dst = strconv.AppendUint(append(dst, ':'), uint64(r.Port), 10)
	case r.Port == 0 && https == m.HTTPS && len(port) > 0:
		dst = append(append(dst, ':'), port...)
	}
	path := req.Path
	if len(path) > 0 && path[0] != '/' {
		path = nil // the * of OPTIONS, which no URL has
	}
	dst, ok := change.append(dst, path, m.Prefix)
	if req.HasQuery && r.Query != "drop" {
		dst = append(append(dst, '?'), req.Query...)
	}
	return dst, ok
}

// splitPort parts an authority into host and port.
func splitPort(authority []byte) (host, port []byte) {
	for i, c := range slices.Backward(authority) {
		switch {
		case c == ':':
			return authority[:i], authority[i+1:]
		case c < '0' || c > '9':
			return authority, nil
		}
	}
	return authority, nil
}
