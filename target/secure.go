package target

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"portico/spec"
)

// TLS is how to greet the targets of a group; nil means in plain text. Protocols
// and sessions are the caller's. An error is one that Check reports.
func TLS(t *spec.TargetTLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // plain text needs no configuration
	}
	c := &tls.Config{
		ServerName:         t.ServerName,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: t.InsecureSkipVerify, // spec/check warns
	}
	if t.MinVersion == spec.TLS13 {
		c.MinVersion = tls.VersionTLS13
	}
	if t.CA.Path != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(t.CA.Bytes) {
			return nil, fmt.Errorf("%q holds no certificate", t.CA.Path)
		}
	}
	if t.Certificate.Path == "" {
		return c, nil
	}
	pair, err := tls.X509KeyPair(t.Certificate.Bytes, t.Key.Value)
	if err != nil {
		return nil, fmt.Errorf("certificate %q and its key: %w", t.Certificate.Path, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
