//go:build linux

package main

import (
	"bytes"
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
	"text/template"
	"time"
)

// What is copied to where the contestants run, and what is made there.
var copied = []string{"nginx.conf", "haproxy.cfg", "portico.yaml"}

const (
	routesTemplate = "portico-routes.yaml.tmpl"
	fewRoutes      = "portico-10-routes.yaml"
	manyRoutes     = "portico-10000-routes.yaml"
)

// routesOf is how many routes a spec made of the template has.
var routesOf = map[string]int{fewRoutes: 10, manyRoutes: 10_000}

// furnish fills the folder that the contestants run in.
func furnish(temp string) error {
	for _, name := range copied {
		b, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(temp, name), b, 0o644); err != nil {
			return err
		}
	}
	t, err := template.ParseFiles(filepath.Join(folder, routesTemplate))
	if err != nil {
		return err
	}
	for name, routes := range routesOf {
		var out bytes.Buffer
		// Each step of the template makes two routes.
		if err := t.Execute(&out, routes/2); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(temp, name), out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return certify(temp)
}

// certify makes the certificate that all present: ECDSA P-256, signed by itself.
func certify(temp string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	like := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "bench.example.com"},
		DNSNames:     []string{"bench.example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, like, like, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for name, b := range map[string][]byte{
		"cert.pem": certPEM, "key.pem": keyPEM, "both.pem": append(bytes.Clone(certPEM), keyPEM...),
	} {
		if err := os.WriteFile(filepath.Join(temp, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}
