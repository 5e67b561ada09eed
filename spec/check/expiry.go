package check

import (
	"crypto/x509"
	"fmt"
	"time"

	"portico/spec"
)

// Expiry warns of certificates that are not valid at this time: the spec is
// served all the same, for the other certificates' sake.
func Expiry(s *spec.Spec, now time.Time) []spec.Problem {
	e := &expiry{now: now}
	for i := range s.Certificates {
		f := s.Certificates[i].Files.Certificate
		if leaf, err := parseLeaf(f.Bytes); err == nil {
			e.valid(f, leaf, spec.At("certificates", i, "files.certificate"))
		}
	}
	for i := range s.Listeners {
		if t := s.Listeners[i].TLS; t != nil && t.ClientAuth != nil {
			e.authorities(t.ClientAuth.CA, spec.At("listeners", i, "tls.clientAuth.ca"))
		}
	}
	for i := range s.TargetGroups {
		if t := s.TargetGroups[i].TLS; t != nil {
			at := spec.At("targetGroups", i, "tls")
			e.authorities(t.CA, spec.At(at, "ca"))
			if leaf, err := parseLeaf(t.Certificate.Bytes); err == nil {
				e.valid(t.Certificate, leaf, spec.At(at, "certificate"))
			}
		}
	}
	return e.problems
}

// expiry gathers warnings.
type expiry struct {
	now      time.Time
	problems []spec.Problem
}

func (e *expiry) warn(at, what, help string) {
	e.problems = append(e.problems, spec.Problem{Path: at, What: what, Help: help, Level: spec.Warning})
}

// authorities warns of each certificate of a file.
func (e *expiry) authorities(f spec.File, at string) {
	all, _ := parseAll(f.Bytes)
	for _, cert := range all {
		e.valid(f, cert, at)
	}
}

func (e *expiry) valid(f spec.File, cert *x509.Certificate, at string) {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case e.now.After(cert.NotAfter):
		e.warn(at, fmt.Sprintf("%q: the certificate of %s expired on %s", f.Path, whose(cert), day(cert.NotAfter)), "renew it")
	case e.now.Before(cert.NotBefore):
		e.warn(at, fmt.Sprintf("%q: the certificate of %s is valid from %s on", f.Path, whose(cert), day(cert.NotBefore)), "look at the clock of this machine")
	}
}
