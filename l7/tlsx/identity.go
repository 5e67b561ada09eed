package tlsx

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"portico/l7/message"
)

// identityMax bounds one field that tells of a certificate. A longer one is left
// out: half a name would be another's.
const identityMax = 8 << 10

// Identify says who a client is by its certificate; nil where it showed none.
func Identify(state *tls.ConnectionState) *message.Identity {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	leaf := state.PeerCertificates[0]
	sum := sha256.Sum256(leaf.Raw)
	verified := "false"
	if len(state.VerifiedChains) > 0 {
		verified = "true"
	}
	id := &message.Identity{}
	for _, f := range [...]struct{ name, value string }{
		{"X-Client-Cert-Verified", verified},
		{"X-Client-Cert-Subject", escape(leaf.Subject.String(), "")},
		{"X-Client-Cert-Issuer", escape(leaf.Issuer.String(), "")},
		{"X-Client-Cert-SAN", names(leaf)},
		{"X-Client-Cert-Serial", hex.EncodeToString(leaf.SerialNumber.Bytes())},
		{"X-Client-Cert-Fingerprint", hex.EncodeToString(sum[:])},
	} {
		if f.value != "" && len(f.value) <= identityMax {
			id.Fields = append(id.Fields, message.Field{Name: []byte(f.name), Value: []byte(f.value)})
		}
	}
	// A byte sequence of a structured field (RFC 9440, section 2.2).
	if whole := ":" + base64.StdEncoding.EncodeToString(leaf.Raw) + ":"; len(whole) <= identityMax {
		id.Certificate = message.Field{Name: []byte("Client-Cert"), Value: []byte(whole)}
	}
	return id
}

// names lists the alternative names of a certificate: "dns:a.test, uri:…".
func names(leaf *x509.Certificate) string {
	var all []string
	add := func(kind, name string) { all = append(all, kind+":"+escape(name, ",")) }
	for _, name := range leaf.DNSNames {
		add("dns", name)
	}
	for _, name := range leaf.EmailAddresses {
		add("email", name)
	}
	for _, ip := range leaf.IPAddresses {
		add("ip", ip.String())
	}
	for _, u := range leaf.URIs {
		add("uri", u.String())
	}
	return strings.Join(all, ", ")
}

// escape writes what may not stand in a field, or would be taken for something
// else, as in URLs: control bytes, those above ASCII, the percent sign, and more.
func escape(s, more string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '%' || strings.IndexByte(more, c) >= 0 {
			b.WriteByte('%')
			b.WriteString(strings.ToUpper(hex.EncodeToString([]byte{c})))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
