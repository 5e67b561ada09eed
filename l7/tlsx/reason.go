package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"portico/internal/netx"
)

// Reasons are what Reason may say, for the labels of metrics.
func Reasons() []string {
	all := []string{"client-closed", "timeout", "not-tls", "client-alert", "revoked", "not-allowed", "expired", "untrusted", "other"}
	for _, t := range texts {
		all = append(all, t.reason)
	}
	return all
}

// texts are the errors of crypto/tls that have no type or value of their own; a
// test provokes each.
var texts = []struct{ text, reason string }{
	{"no certificates configured", "unknown-name"},
	{"client offered only unsupported versions", "no-version"},
	{"no cipher suite supported", "no-cipher"},
	{"no key exchanges supported", "no-curve"},
	{"unsupported application protocols", "no-protocol"},
	{"client didn't provide a certificate", "no-certificate"},
}

// Reason says in a word why a handshake with a client failed.
func Reason(err error) string {
	var notTLS tls.RecordHeaderError
	var remote *net.OpError
	var invalid x509.CertificateInvalidError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errRevoked):
		return "revoked"
	case errors.Is(err, errNotAllowed):
		return "not-allowed"
	case errors.Is(err, errUnknownName):
		return "unknown-name"
	case errors.Is(err, errListAge), errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "expired"
	case errors.As(err, &untrusted):
		return "untrusted"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), netx.IsReset(err):
		return "client-closed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.As(err, &notTLS):
		return "not-tls"
	case errors.As(err, &remote) && remote.Op == "remote error":
		return "client-alert"
	}
	for _, t := range texts {
		if strings.Contains(err.Error(), t.text) {
			return t.reason
		}
	}
	return "other"
}
