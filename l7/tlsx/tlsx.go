// Package tlsx chooses the certificate a client is greeted with.
//
// What comes in: the certificates of the spec, and the name in a ClientHello.
// What goes out: one crypto/tls configuration for a process. Its certificates
// can be replaced while connections are open; its session tickets are good for
// as long as the process lives. It never reads a file: the spec holds the bytes.
// Start reading at Certificates.
package tlsx

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"portico/spec"
)

// errNoCertificate is what a client that cannot be greeted ends with.
var errNoCertificate = errors.New("tls: no certificate")

// Certificates holds the certificates in use. Its zero value has none.
type Certificates struct{ current atomic.Pointer[Set] }

// Set is an immutable set of certificates, ready to be chosen from.
type Set struct {
	first    *tls.Certificate
	exact    map[string][]*tls.Certificate
	wildcard map[string][]*tls.Certificate // by ".example.com"
}

// Parse reads the certificates of a spec; all problems are found.
func Parse(certificates []spec.Certificate) (*Set, []spec.Problem) {
	var problems []spec.Problem
	s := &Set{exact: map[string][]*tls.Certificate{}, wildcard: map[string][]*tls.Certificate{}}
	for i := range certificates {
		c := &certificates[i]
		pair, err := tls.X509KeyPair(c.Files.Certificate.Bytes, c.Files.Key.Value)
		if err != nil {
			problems = append(problems, spec.Problem{
				Path: spec.At("certificates", i, "files"),
				What: fmt.Sprintf("certificate %q and its key: %v", c.Files.Certificate.Path, err),
			})
			continue
		}
		s.add(c.Hosts, &pair)
	}
	return s, problems
}

func (s *Set) add(hosts []string, pair *tls.Certificate) {
	if s.first == nil {
		s.first = pair
	}
	for _, h := range hosts {
		h = normalize(h)
		if suffix, ok := strings.CutPrefix(h, "*"); ok {
			s.wildcard[suffix] = append(s.wildcard[suffix], pair)
		} else {
			s.exact[h] = append(s.exact[h], pair)
		}
	}
}

func normalize(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// For lists the certificates for a name, the best first: those that name it,
// else those with a wildcard for its first label, else the first of all.
func (s *Set) For(name string) []*tls.Certificate {
	name = normalize(name)
	if found := s.exact[name]; found != nil {
		return found
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		if found := s.wildcard["."+rest]; found != nil {
			return found
		}
	}
	if s.first == nil {
		return nil
	}
	return []*tls.Certificate{s.first}
}

// Swap makes a set the one that new connections are greeted from.
func (c *Certificates) Swap(s *Set) { c.current.Store(s) }

// Config returns a new configuration that always uses the set in use. All
// listeners of a process share one, so that a session ticket of any is good at
// every other. TLS 1.2 is the oldest version; suites and curves are Go's.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.choose,
	}
}

// Explain says which certificate a client that asks for a name is greeted with.
func (c *Certificates) Explain(name string) string {
	set := c.current.Load()
	if set == nil || set.first == nil {
		return "there is no certificate: the handshake fails"
	}
	var texts []string
	for _, pair := range set.For(name) {
		texts = append(texts, fmt.Sprintf("certificate of %s, valid until %s",
			strings.Join(pair.Leaf.DNSNames, ", "), pair.Leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
	why := fmt.Sprintf("%q is named", normalize(name))
	if found := set.For(name); found[0] == set.first && found[0].Leaf.VerifyHostname(name) != nil {
		why = fmt.Sprintf("no certificate is for %q: the first is used", normalize(name))
	}
	return why + ": " + strings.Join(texts, "; or ")
}

// choose picks, of the certificates for the name, the first that the client can
// verify, so that RSA and ECDSA ones may stand side by side.
func (c *Certificates) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	set := c.current.Load()
	if set == nil {
		return nil, errNoCertificate
	}
	found := set.For(hello.ServerName)
	for _, pair := range found {
		if len(found) == 1 || hello.SupportsCertificate(pair) == nil {
			return pair, nil
		}
	}
	if len(found) == 0 {
		return nil, errNoCertificate
	}
	return found[0], nil
}
