package check

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"portico/spec"
)

// certificates checks that each can be read, fits its key, and is for its hosts.
func (c *checker) certificates() {
	for i := range c.Certificates {
		cert, at := &c.Certificates[i], spec.At("certificates", i)
		if len(cert.Hosts) == 0 {
			c.problem(spec.At(at, "hosts"), "the certificate is served for no host", "name those it is for")
		}
		for j, h := range cert.Hosts {
			c.host(h, spec.At(at, "hosts", j))
		}
		leaf := c.pair(cert.Files.Certificate, cert.Files.Key, spec.At(at, "files.certificate"), spec.At(at, "files.key"))
		if leaf != nil {
			c.named(cert, leaf, at)
		}
	}
}

// pair checks a certificate and its key, and returns the leaf; nil where it
// cannot be read.
func (c *checker) pair(certificate spec.File, key spec.Secret, at, keyAt string) *x509.Certificate {
	if len(certificate.Bytes) == 0 || len(key.Value) == 0 {
		return nil // could not be read, which was said there
	}
	leaf, err := parseLeaf(certificate.Bytes)
	if err != nil {
		c.problem(at, fmt.Sprintf("%q holds no certificate: %v", certificate.Path, err), "use a PEM file, the leaf first")
		return nil
	}
	private, err := parseKey(key.Value)
	switch {
	case err != nil:
		c.problem(keyAt, fmt.Sprintf("%s holds no private key: %v", key, err), "use a PEM file without a password")
	case !fits(leaf, private):
		c.problem(keyAt, fmt.Sprintf("the key is not that of the certificate %q", certificate.Path), "use the key it was made with")
	}
	return leaf
}

// named warns of hosts that clients would refuse the certificate for.
func (c *checker) named(cert *spec.Certificate, leaf *x509.Certificate, at string) {
	for j, h := range cert.Hosts {
		name, wild := strings.CutPrefix(lower(h), "*.")
		if wild {
			name = "any." + name
		}
		if leaf.VerifyHostname(name) != nil {
			c.warning(spec.At(at, "hosts", j), fmt.Sprintf("the certificate %q is not for %q", cert.Files.Certificate.Path, h), "it names "+certificateNames(leaf))
		}
	}
}

func certificateNames(leaf *x509.Certificate) string {
	if len(leaf.DNSNames) == 0 {
		return "no host"
	}
	return quoted(leaf.DNSNames)
}

// parseLeaf reads the first certificate of a PEM text.
func parseLeaf(text []byte) (*x509.Certificate, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("no CERTIFICATE block")
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
		text = rest
	}
}

// parseKey reads the first private key of a PEM text, in any of the three forms
// that are in use.
func parseKey(text []byte) (crypto.PrivateKey, error) {
	for {
		block, rest := pem.Decode(text)
		switch {
		case block == nil:
			return nil, errors.New("no PRIVATE KEY block")
		case block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return nil, errors.New("it has a password")
		case block.Type == "PRIVATE KEY":
			return x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == "RSA PRIVATE KEY":
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		}
		text = rest
	}
}

// fits reports whether the key is that of the certificate.
func fits(leaf *x509.Certificate, key crypto.PrivateKey) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(signer.Public())
}

// covered checks that an https listener can greet the clients of its routes.
func (c *checker) covered(l *spec.Listener, at string) {
	if len(c.Certificates) == 0 {
		c.problem(spec.At(at, "protocol"), "https needs a certificate, and there is none", "add one to certificates")
		return
	}
	for _, name := range l.Routes {
		path, ok := c.routeAt.at[string(name)]
		if !ok {
			continue
		}
		for j, h := range c.route[name].Hosts {
			if !c.certified(lower(h)) {
				c.warning(spec.At(path, "hosts", j), fmt.Sprintf("no certificate is for %q, which listener %q serves", h, l.Name), "add it to the hosts of one")
			}
		}
	}
}

// certified reports whether a certificate is served for a host: it names it, or
// has a wildcard for its first label (RFC 9525, section 6.3).
func (c *checker) certified(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	for i := range c.Certificates {
		for _, h := range c.Certificates[i].Hosts {
			if h = lower(h); h == host || h == "*."+parent {
				return true
			}
		}
	}
	return false
}
