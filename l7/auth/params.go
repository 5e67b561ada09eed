package auth

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"portico/l7/http1"
	"portico/spec"
)

// Basic is the parameters of the filter basicAuth: a user and a password, as
// RFC 7617 has them.
type Basic struct {
	// Users are lines of name:hash; see ParseUsers.
	Users spec.Secret `json:"users" required:"true"`
	// Realm is what browsers ask the password for.
	Realm string `json:"realm,omitempty" default:"restricted"`
	// Header tells the target the user; what a client sends in it is removed.
	Header string `json:"header,omitempty"`
	// Strip keeps Authorization from the target.
	Strip bool `json:"strip,omitempty"`
	// Remember is how long a password that was right is not hashed again.
	Remember spec.Duration `json:"remember,omitempty" default:"1m" range:"1s..1h"`
}

// RealmOrDefault is Realm, or what it is where it is not given.
func (p *Basic) RealmOrDefault() string {
	if p.Realm == "" {
		return "restricted"
	}
	return p.Realm
}

// RememberOrDefault is Remember, or what it is where it is not given.
func (p *Basic) RememberOrDefault() time.Duration {
	if p.Remember == 0 {
		return time.Minute
	}
	return p.Remember.D()
}

// realmMax bounds a realm, in bytes.
const realmMax = 128

// Check refuses users that nobody can be, and names that no header may have.
func (p *Basic) Check() []spec.Problem {
	var problems []spec.Problem
	if _, bad := ParseUsers(p.Users.Value); len(bad) > 0 {
		for i, err := range bad {
			if i == problemsMax {
				problems = append(problems, spec.Problemf("users", "and %d more", len(bad)-i))
				break
			}
			problems = append(problems, spec.Problem{Path: "users", What: err.Error()})
		}
	}
	if len(p.Realm) > realmMax || strings.ContainsFunc(p.Realm, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		problems = append(problems, spec.Problem{
			Path: "realm", What: fmt.Sprintf("%q cannot stand in a header", p.Realm),
			Help: fmt.Sprintf("use at most %d letters, digits and spaces", realmMax),
		})
	}
	return append(problems, checkField("header", p.Header)...)
}

// problemsMax bounds the problems that are told of one list of users.
const problemsMax = 10

// checkField refuses what cannot be set on a request.
func checkField(at, name string) []spec.Problem {
	switch lower := strings.ToLower(name); {
	case name == "":
	case !http1.ValidName([]byte(name)):
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q is not the name of a header", name)}}
	case reserved[lower]:
		return []spec.Problem{{Path: at, What: fmt.Sprintf("%q is not a filter's to set", name), Help: "use one such as X-User"}}
	}
	return nil
}

// reserved are the fields of framing and of one connection, and those that say
// who the client is.
var reserved = map[string]bool{
	"host": true, "content-length": true, "transfer-encoding": true, "trailer": true, "te": true, "connection": true,
	"keep-alive": true, "proxy-connection": true, "upgrade": true, "expect": true,
	"x-forwarded-for": true, "x-forwarded-proto": true, "x-forwarded-host": true, "x-forwarded-port": true,
}

// Forward is the parameters of the filter forwardAuth: a service is asked whether
// a request may pass.
type Forward struct {
	// URL of the service, or the target group that it is, with a Path.
	URL         string               `json:"url,omitempty" oneof:"service"`
	TargetGroup spec.TargetGroupName `json:"targetGroup,omitempty" oneof:"service"`
	// Path that a target group is asked for.
	Path string `json:"path,omitempty" default:"/"`
	// Send lists the fields of requests that the service sees; none means
	// Authorization and Cookie. X-Forwarded fields always go along.
	Send []string `json:"send,omitempty"`
	// Take lists fields of the service's answer that are set on a request that may
	// pass; what a client sends in them is removed.
	Take    []string      `json:"take,omitempty"`
	Timeout spec.Duration `json:"timeout,omitempty" default:"2s" range:"10ms..30s"`
	// OnFailure says what becomes of requests when the service does not answer.
	OnFailure string `json:"onFailure,omitempty" default:"closed" enum:"open|closed"`
	// Concurrent is how many requests may wait for the service at once.
	Concurrent int `json:"concurrent,omitempty" default:"256" range:"1..65536"`
}

// Service is the URL that is asked; that of a target group has no host.
func (p *Forward) Service() (*url.URL, error) {
	if p.URL == "" {
		path := p.Path
		if path == "" {
			path = "/"
		}
		return url.ParseRequestURI("http://" + path)
	}
	u, err := url.Parse(p.URL)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("%q is not the URL of a service", p.URL)
	}
	return u, nil
}

// Check refuses services that cannot be asked, and fields that no request has.
func (p *Forward) Check() []spec.Problem {
	var problems []spec.Problem
	if _, err := p.Service(); p.URL != "" && err != nil {
		problems = append(problems, spec.Problem{Path: "url", What: fmt.Sprintf("%q is not the URL of a service", p.URL), Help: "use one such as http://10.0.0.9:9000/verify"})
	}
	if p.Path != "" && !strings.HasPrefix(p.Path, "/") {
		problems = append(problems, spec.Problem{Path: "path", What: fmt.Sprintf("%q is not a path", p.Path), Help: "begin it with a slash"})
	} else if _, err := p.Service(); p.URL == "" && err != nil {
		problems = append(problems, spec.Problem{Path: "path", What: fmt.Sprintf("%q is not a path", p.Path), Help: "write it percent-encoded"})
	}
	for i, name := range p.Send {
		if !http1.ValidName([]byte(name)) {
			problems = append(problems, spec.Problemf(spec.At("send", i), "%q is not the name of a header", name))
		}
	}
	for i, name := range p.Take {
		problems = append(problems, checkField(spec.At("take", i), name)...)
	}
	return problems
}
