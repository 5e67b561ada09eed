package check

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"portico/spec"
)

// targetTLS checks how the targets of a group are greeted.
func (c *checker) targetTLS(g *spec.TargetGroup, at string) {
	t := g.TLS
	if t == nil {
		return
	}
	at = spec.At(at, "tls")
	if t.CA.Path != "" {
		c.authorities(t.CA, spec.At(at, "ca"))
	}
	if t.ServerName != "" && !isHost(lower(t.ServerName)) {
		c.problem(spec.At(at, "serverName"), fmt.Sprintf("%q is not a name", t.ServerName), "use one that the certificates of the targets hold")
	}
	switch {
	case t.InsecureSkipVerify && t.CA.Path != "":
		c.problem(spec.At(at, "insecureSkipVerify"), "nobody is verified, so ca has no effect", "leave out one of the two")
	case t.InsecureSkipVerify:
		c.warning(spec.At(at, "insecureSkipVerify"), "targets are not verified: whoever answers at their address can read and change every request", "name the authority of their certificates in ca")
	}
	c.clientPair(t, at)
	c.plainCheck(g, at)
}

// clientPair checks the certificate that is shown to targets.
func (c *checker) clientPair(t *spec.TargetTLS, at string) {
	hasKey := t.Key.File != "" || t.Key.Env != ""
	switch {
	case t.Certificate.Path == "" && hasKey:
		c.problem(spec.At(at, "key"), "there is no certificate that it is the key of", "give certificate, too")
	case t.Certificate.Path != "" && !hasKey:
		c.problem(spec.At(at, "certificate"), "there is no key to it", "give key, too")
	case t.Certificate.Path != "":
		c.pair(t.Certificate, t.Key, spec.At(at, "certificate"), spec.At(at, "key"))
	}
}

// plainCheck warns of a health check that would speak plain text to TLS.
func (c *checker) plainCheck(g *spec.TargetGroup, at string) {
	if g.Health != nil && g.Health.Check.Name == "http" {
		c.warning(at, "targets are greeted with TLS, and their health check asks in plain text", "use the check https")
	}
}

// authorities checks a PEM file of certificates of authorities.
func (c *checker) authorities(f spec.File, at string) {
	if len(f.Bytes) == 0 {
		return // could not be read, which was said there
	}
	all, err := parseAll(f.Bytes)
	if err != nil {
		c.problem(at, fmt.Sprintf("%q holds no certificate: %v", f.Path, err), "use a PEM file of one or more authorities")
		return
	}
	for _, cert := range all {
		if cert.BasicConstraintsValid && !cert.IsCA {
			c.warning(at, fmt.Sprintf("%q holds the certificate of %s, which is no authority: it vouches for itself alone", f.Path, whose(cert)), "use the certificate of the authority that signed it")
		}
	}
}

// whose names the holder of a certificate.
func whose(cert *x509.Certificate) string {
	if name := cert.Subject.String(); name != "" {
		return fmt.Sprintf("%q", name)
	}
	return certificateNames(cert)
}

// parseAll reads every certificate of a PEM text; there must be one.
func parseAll(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if text = rest; block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("no CERTIFICATE block")
	}
	return all, nil
}
