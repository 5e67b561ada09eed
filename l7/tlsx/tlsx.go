// Package tlsx says how the clients of a listener are greeted.
//
// What comes in: the certificates of the spec, what a listener says of TLS, and
// the name in a ClientHello. What goes out: one crypto/tls configuration for a
// listener and a spec, which never changes but for the keys of its tickets; who
// the client is that a certificate names; and why a handshake failed. It never
// reads a file: the spec holds the bytes.
//
// Start reading at Greet.
package tlsx

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"portico/spec"
)

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

// named lists the certificates that are for a name: those that name it, else
// those with a wildcard for its first label.
func (s *Set) named(name string) []*tls.Certificate {
	name = normalize(name)
	if found := s.exact[name]; found != nil {
		return found
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		return s.wildcard["."+rest]
	}
	return nil
}

// For lists the certificates for a name, the best first; where none is for it,
// that is the first of all.
func (s *Set) For(name string) []*tls.Certificate {
	if found := s.named(name); found != nil || s.first == nil {
		return found
	}
	return []*tls.Certificate{s.first}
}

// Explain says which certificate a client that asks for a name is greeted with by
// a listener.
func (s *Set) Explain(name string, l *spec.ListenerTLS) string {
	if s.first == nil {
		return "there is no certificate: the handshake fails"
	}
	found, why := s.named(name), fmt.Sprintf("%q is named", normalize(name))
	switch {
	case found == nil && refuses(l):
		return fmt.Sprintf("no certificate is for %q: the handshake fails", normalize(name))
	case found == nil:
		found, why = s.For(name), fmt.Sprintf("no certificate is for %q: the first is used", normalize(name))
	}
	var texts []string
	for _, pair := range found {
		texts = append(texts, fmt.Sprintf("certificate of %s, valid until %s",
			strings.Join(pair.Leaf.DNSNames, ", "), pair.Leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
	return why + ": " + strings.Join(texts, "; or ")
}

// choose picks, of the certificates for the name, the first that the client can
// verify, so that RSA and ECDSA ones may stand side by side.
func choose(found []*tls.Certificate, hello *tls.ClientHelloInfo) *tls.Certificate {
	for _, pair := range found {
		if len(found) == 1 || hello.SupportsCertificate(pair) == nil {
			return pair
		}
	}
	if len(found) == 0 {
		return nil // crypto/tls answers with unrecognized_name
	}
	return found[0]
}
