package testkit

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"portico/internal/clock"
)

// Leaf is what IssueLeaf certifies; its zero value is good for nobody.
type Leaf struct {
	Subject pkix.Name
	Hosts   []string
	IPs     []net.IP
	Emails  []string
	URIs    []*url.URL
	Serial  int64 // 0 means any
	// Expired makes the certificate one of the day before.
	Expired bool
}

// IssueLeaf makes a certificate and its key, both as PEM.
func (ca *CA) IssueLeaf(tb testing.TB, leaf Leaf) (certificate, key []byte) {
	tb.Helper()
	t := template(tb, leaf.Subject.CommonName)
	t.Subject, t.DNSNames, t.IPAddresses, t.EmailAddresses, t.URIs = leaf.Subject, leaf.Hosts, leaf.IPs, leaf.Emails, leaf.URIs
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if leaf.Serial != 0 {
		t.SerialNumber = big.NewInt(leaf.Serial)
	}
	if leaf.Expired {
		t.NotBefore, t.NotAfter = t.NotBefore.Add(-48*time.Hour), t.NotAfter.Add(-48*time.Hour)
	}
	private := newKey(tb)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	signed := sign(tb, t, ca.cert, private, ca.key)
	return asPEM("CERTIFICATE", signed.Raw), asPEM("PRIVATE KEY", der)
}

// PEM is the authority's own certificate.
func (ca *CA) PEM() []byte { return asPEM("CERTIFICATE", ca.cert.Raw) }

// Revoke makes a list of revoked serial numbers, as PEM, that is good until next.
func (ca *CA) Revoke(tb testing.TB, next time.Time, serials ...int64) []byte {
	tb.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: clock.Now().Add(-48 * time.Hour), NextUpdate: next}
	for _, s := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: list.ThisUpdate})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.cert, ca.key)
	if err != nil {
		tb.Fatal(err)
	}
	return asPEM("X509 CRL", der)
}

func asPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
