package demo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"portico/internal/clock"
)

// The files that WriteKeys makes.
const (
	CAFile     = "ca.pem"
	CertFile   = "myapp.pem"
	KeyFile    = "myapp.key"
	StickyFile = "sticky.key"
)

// The other files that the demo keeps in its folder.
const (
	specFile   = "portico.yaml"
	logFile    = "portico.log"
	accessFile = "access.log"
)

// keysValid is how long the demo's certificates hold; each start makes new ones.
const keysValid = 30 * 24 * time.Hour

// WriteKeys makes a CA of its own, a certificate for some names, and a key that
// signs sticky cookies, as files in a folder.
func WriteKeys(dir string, hosts []string) error {
	ca, caKey, err := newCA()
	if err != nil {
		return err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := template("portico demo", 2)
	leaf.DNSNames = hosts
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return err
	}
	sticky := make([]byte, 32)
	_, _ = rand.Read(sticky) // never fails
	for name, text := range map[string][]byte{
		CAFile:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}),
		CertFile:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyFile:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		StickyFile: fmt.Appendf(nil, "%x\n", sticky),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func newCA() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ca := template("portico demo CA", 1)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func template(name string, serial int64) *x509.Certificate {
	now := clock.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(keysValid),
	}
}
