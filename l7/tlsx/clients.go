package tlsx

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"portico/spec"
)

// clients judges the certificates of clients. It is immutable.
type clients struct {
	mode    tls.ClientAuthType
	roots   *x509.CertPool
	revoked *revoked // nil where there is no list
	allow   []spec.ClientMatch
}

// Why a client that proved its certificate is not let in.
var (
	errRevoked    = errors.New("tls: the certificate of the client is revoked")
	errListAge    = errors.New("tls: the list of revoked certificates has expired")
	errNotAllowed = errors.New("tls: the certificate of the client is not one of those allowed")
)

// newClients reads what a listener asks of its clients. The problems are relative
// to the listener's tls.
func newClients(auth *spec.ClientAuth) (*clients, []spec.Problem) {
	c := &clients{allow: auth.Allow}
	switch auth.Mode {
	case spec.ClientRequest:
		c.mode = tls.RequestClientCert
		return c, nil
	case spec.ClientOptional:
		c.mode = tls.VerifyClientCertIfGiven
	default:
		c.mode = tls.RequireAndVerifyClientCert
	}
	authorities := parseAuthorities(auth.CA.Bytes)
	if len(authorities) == 0 {
		return nil, []spec.Problem{spec.Problemf("clientAuth.ca", "%q holds no certificate", auth.CA.Path)}
	}
	c.roots = x509.NewCertPool()
	for _, a := range authorities {
		c.roots.AddCert(a)
	}
	var problems []spec.Problem
	c.revoked, problems = newRevoked(auth, authorities)
	return c, problems
}

// verify judges a client, also one that resumes a session: its certificate may
// have been revoked since. That it was signed by an authority of ours, and has not
// expired, crypto/tls saw to, which verifies chains anew when it resumes.
func (c *clients) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 || c.mode == tls.RequestClientCert {
		return nil
	}
	if err := c.revoked.check(state.VerifiedChains); err != nil {
		return err
	}
	leaf := state.PeerCertificates[0]
	if len(c.allow) == 0 || slices.ContainsFunc(c.allow, func(m spec.ClientMatch) bool { return matches(&m, leaf) }) {
		return nil
	}
	return fmt.Errorf("%w: %q", errNotAllowed, leaf.Subject.String())
}

// matches reports whether a certificate says all that is given.
func matches(m *spec.ClientMatch, leaf *x509.Certificate) bool {
	sum := sha256.Sum256(leaf.Raw)
	return (m.CommonName == "" || m.CommonName == leaf.Subject.CommonName) &&
		(m.Organization == "" || slices.Contains(leaf.Subject.Organization, m.Organization)) &&
		(m.Unit == "" || slices.Contains(leaf.Subject.OrganizationalUnit, m.Unit)) &&
		(m.Fingerprint == "" || strings.EqualFold(strings.ReplaceAll(m.Fingerprint, ":", ""), hex.EncodeToString(sum[:]))) &&
		(m.SAN == "" || matchesSAN(m.SAN, leaf))
}

// matchesSAN reports whether one of the alternative names is as a pattern says:
// equal, or with a star for one label of a host or for the end of a URI.
func matchesSAN(pattern string, leaf *x509.Certificate) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok && strings.Contains(pattern, "://") {
		return slices.ContainsFunc(leaf.URIs, func(u *url.URL) bool { return strings.HasPrefix(u.String(), start) })
	}
	for _, u := range leaf.URIs {
		if u.String() == pattern {
			return true
		}
	}
	for _, ip := range leaf.IPAddresses {
		if ip.String() == pattern {
			return true
		}
	}
	return slices.Contains(leaf.EmailAddresses, pattern) ||
		slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return matchesHost(normalize(pattern), normalize(name)) })
}

func matchesHost(pattern, name string) bool {
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		_, parent, found := strings.Cut(name, ".")
		return found && parent == rest
	}
	return name == pattern
}
