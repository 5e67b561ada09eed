package check

import (
	"encoding/hex"
	"fmt"
	"strings"

	"portico/spec"
)

// listenerTLS checks how the clients of a listener are greeted.
func (c *checker) listenerTLS(l *spec.Listener, at string) {
	if l.TLS == nil {
		return
	}
	at = spec.At(at, "tls")
	if l.Protocol != spec.ProtocolHTTPS {
		c.problem(at, fmt.Sprintf("%s listeners do not speak TLS", l.Protocol), "leave it out, or use the protocol https")
		return
	}
	seen := map[spec.Curve]bool{}
	for i, curve := range l.TLS.Curves {
		if seen[curve] {
			c.problem(spec.At(at, "curves", i), fmt.Sprintf("%s is named twice", curve), "name it once, the best first")
		}
		seen[curve] = true
	}
	if l.TLS.ClientAuth != nil {
		c.clientAuth(l.TLS.ClientAuth, spec.At(at, "clientAuth"))
	}
}

func (c *checker) clientAuth(a *spec.ClientAuth, at string) {
	if a.Mode == spec.ClientRequest {
		for _, x := range []struct {
			key   string
			given bool
		}{{"ca", a.CA.Path != ""}, {"crl", len(a.CRL) > 0}, {"allow", len(a.Allow) > 0}} {
			if x.given {
				c.problem(spec.At(at, x.key), "with mode request no certificate is verified, so this has no effect", "leave it out, or use the mode optional-verify or require")
			}
		}
		return
	}
	if a.CA.Path == "" {
		c.problem(at, "there is no authority to verify clients by", "give ca, or use the mode request")
	} else {
		c.authorities(a.CA, spec.At(at, "ca"))
	}
	for i := range a.Allow {
		c.clientMatch(&a.Allow[i], spec.At(at, "allow", i))
	}
}

// sha256Hex is the length of a fingerprint.
const sha256Hex = 64

func (c *checker) clientMatch(m *spec.ClientMatch, at string) {
	if *m == (spec.ClientMatch{}) {
		c.problem(at, "it lets in every client", "say what its certificate must hold, or leave out allow")
	}
	if m.Fingerprint != "" {
		plain := strings.ReplaceAll(m.Fingerprint, ":", "")
		if _, err := hex.DecodeString(plain); err != nil || len(plain) != sha256Hex {
			c.problem(spec.At(at, "fingerprint"), fmt.Sprintf("%q is not the SHA-256 of a certificate", m.Fingerprint), "use the output of: openssl x509 -noout -fingerprint -sha256")
		}
	}
	rest := strings.TrimPrefix(m.SAN, "*.")
	if strings.Contains(m.SAN, "://") {
		rest = strings.TrimSuffix(m.SAN, "*")
	}
	if strings.Contains(rest, "*") {
		c.problem(spec.At(at, "san"), fmt.Sprintf("%q has a star where it stands for nothing", m.SAN), "use one such as *.example.com or spiffe://example.com/*")
	}
}
