// Package cors knows which web pages may read what a site answers to others
// (the Fetch standard, section 3.2).
//
// What comes in: origins as a spec names them, and the Origin of a request. What
// goes out: whether it is one of them. It does no I/O and allocates nothing for a
// request. Start reading at Origins.Has.
package cors

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"portico/spec"
)

// Origin is one or several origins; its short form is the name.
type Origin struct {
	// Name is https://app.example.com, https://*.example.com for every name below
	// it, or * for every page there is.
	Name string `json:"name,omitempty" oneof:"origin" short:"true"`
	// Regex matches whole origins; see spec.CompileRegex.
	Regex string `json:"regex,omitempty" oneof:"origin"`
}

// Any is the name of every origin.
const Any = "*"

// Origins is a set of origins, compiled.
type Origins struct {
	any     bool
	exact   map[string]bool
	below   []below
	regexes []*regexp.Regexp
}

// below is an origin with a star: what stands before and after it.
type below struct{ before, after string }

// New compiles origins. It fails for one that is none; errors read "what; help".
func New(list []Origin) (*Origins, error) {
	o := &Origins{exact: map[string]bool{}}
	for _, x := range list {
		if err := o.add(x); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *Origins) add(x Origin) error {
	if x.Regex != "" {
		re, err := spec.CompileRegex(x.Regex)
		if err != nil {
			return err
		}
		o.regexes = append(o.regexes, re)
		return nil
	}
	if x.Name == Any {
		o.any = true
		return nil
	}
	if err := check(x.Name); err != nil {
		return err
	}
	before, after, star := strings.Cut(strings.ToLower(x.Name), "*")
	if star {
		o.below = append(o.below, below{before, after})
	} else {
		o.exact[before] = true
	}
	return nil
}

// check refuses what no browser sends as an Origin (RFC 6454, section 6.1).
func check(name string) error {
	if name == "null" {
		return errors.New("null is the origin of any page in a sandbox; leave it out")
	}
	scheme, rest, ok := strings.Cut(name, "://")
	if !ok || scheme == "" {
		return fmt.Errorf("%q is not an origin; write one such as https://app.example.com", name)
	}
	if strings.Contains(rest, "*") && (!strings.HasPrefix(rest, "*.") || strings.Count(rest, "*") > 1) {
		return fmt.Errorf("%q has a star that stands for no name; write one such as https://*.example.com, or use regex", name)
	}
	u, err := url.Parse(scheme + "://" + strings.TrimPrefix(rest, "*."))
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil:
		return fmt.Errorf("%q is not an origin; write one such as https://app.example.com", name)
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%q is more than an origin; leave out what follows the host", name)
	case scheme == "https" && u.Port() == "443" || scheme == "http" && u.Port() == "80":
		return fmt.Errorf("%q has the usual port, which no browser sends; leave it out", name)
	}
	return nil
}

// Any reports whether every origin is one of them.
func (o *Origins) Any() bool { return o.any }

// Has reports whether an origin, as a browser sends it, is one of them.
func (o *Origins) Has(origin []byte) bool {
	if o.any || o.exact[string(origin)] {
		return true
	}
	for i := range o.below {
		if o.below[i].has(origin) {
			return true
		}
	}
	for _, re := range o.regexes {
		if re.Match(origin) {
			return true
		}
	}
	return false
}

// has reports whether what stands for the star is one label or more of a name.
func (b *below) has(origin []byte) bool {
	n := len(origin) - len(b.after)
	if n <= len(b.before) || string(origin[:len(b.before)]) != b.before || string(origin[n:]) != b.after {
		return false
	}
	for _, c := range origin[len(b.before):n] {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return origin[len(b.before)] != '.'
}
