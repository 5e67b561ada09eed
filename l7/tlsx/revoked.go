package tlsx

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"portico/internal/clock"
	"portico/spec"
)

// revoked is what the lists of revoked certificates say, by authority. It is
// immutable. The nil revoked says nothing of anybody.
type revoked struct {
	by            map[string]*list // by the authority's subject, as it is encoded
	acceptExpired bool
}

// list is the lists of one authority.
type list struct {
	serials map[string]struct{}
	next    time.Time // when the first of them should be replaced; zero for never
}

// newRevoked reads the lists of a listener; each must be signed by one of the
// authorities.
func newRevoked(auth *spec.ClientAuth, authorities []*x509.Certificate) (*revoked, []spec.Problem) {
	if len(auth.CRL) == 0 {
		return nil, nil
	}
	r := &revoked{by: map[string]*list{}, acceptExpired: auth.ExpiredCRL == spec.ExpiredAccept}
	var problems []spec.Problem
	for i, f := range auth.CRL {
		parsed, err := parseLists(f.Bytes)
		for _, l := range parsed {
			if err == nil {
				err = r.add(l, authorities)
			}
		}
		if err != nil {
			problems = append(problems, spec.Problem{
				Path: spec.At("clientAuth.crl", i),
				What: fmt.Sprintf("%q: %v", f.Path, err),
				Help: "use a list that one of ca has signed, as PEM or DER",
			})
		}
	}
	return r, problems
}

func (r *revoked) add(l *x509.RevocationList, authorities []*x509.Certificate) error {
	if err := signed(l, authorities); err != nil {
		return err
	}
	if err := understood(l); err != nil {
		return err
	}
	by := r.by[string(l.RawIssuer)]
	if by == nil {
		by = &list{serials: make(map[string]struct{}, len(l.RevokedCertificateEntries)), next: l.NextUpdate}
		r.by[string(l.RawIssuer)] = by
	}
	if !l.NextUpdate.IsZero() && l.NextUpdate.Before(by.next) {
		by.next = l.NextUpdate
	}
	for i := range l.RevokedCertificateEntries {
		by.serials[string(l.RevokedCertificateEntries[i].SerialNumber.Bytes())] = struct{}{}
	}
	return nil
}

// signed reports why none of the authorities vouches for a list.
func signed(l *x509.RevocationList, authorities []*x509.Certificate) error {
	err := fmt.Errorf("it is of %q, which is not in ca", l.Issuer.String())
	for _, a := range authorities {
		if bytes.Equal(a.RawSubject, l.RawIssuer) {
			if err = l.CheckSignatureFrom(a); err == nil {
				return nil
			}
			err = fmt.Errorf("it is not signed by %q, whom it names: %w", l.Issuer.String(), err)
		}
	}
	return err
}

// understood refuses a list that does not mean what it seems to: a critical
// extension says so, such as that it holds only what changed (RFC 5280, section
// 5.2). That it is a part of all, an issuing distribution point says, which is
// fine: the other parts can be given, too.
func understood(l *x509.RevocationList) error {
	part := asn1.ObjectIdentifier{2, 5, 29, 28}
	for _, e := range l.Extensions {
		if e.Critical && !e.Id.Equal(part) {
			return fmt.Errorf("it has a critical extension that is not understood: %v", e.Id)
		}
	}
	return nil
}

// check judges a client by the chains that lead to its certificate: one in which
// nothing is revoked is enough.
func (r *revoked) check(chains [][]*x509.Certificate) error {
	if r == nil {
		return nil
	}
	now := clock.Now()
	err := errRevoked
	for _, chain := range chains {
		if err = r.chain(chain, now); err == nil {
			return nil
		}
	}
	return err
}

func (r *revoked) chain(chain []*x509.Certificate, now time.Time) error {
	for _, cert := range chain {
		by := r.by[string(cert.RawIssuer)]
		if by == nil {
			continue // no list of that authority was given
		}
		if _, is := by.serials[string(cert.SerialNumber.Bytes())]; is {
			return fmt.Errorf("%w: serial number %x of %q", errRevoked, cert.SerialNumber, cert.Issuer.String())
		}
		if !r.acceptExpired && !by.next.IsZero() && now.After(by.next) {
			return fmt.Errorf("%w: that of %q on %s", errListAge, cert.Issuer.String(), by.next.UTC().Format(time.DateTime))
		}
	}
	return nil
}

// parseLists reads every list of a PEM text, or the one that is not in PEM.
func parseLists(text []byte) ([]*x509.RevocationList, error) {
	var all []*x509.RevocationList
	if !bytes.Contains(text, []byte("-----BEGIN")) {
		l, err := x509.ParseRevocationList(text)
		return append(all, l), err
	}
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if text = rest; block.Type != "X509 CRL" {
			continue
		}
		l, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	if len(all) == 0 {
		return nil, errors.New("no X509 CRL block")
	}
	return all, nil
}

// parseAuthorities reads the certificates of a PEM text.
func parseAuthorities(text []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return all
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			all = append(all, cert)
		}
		text = rest
	}
}

// expired warns of the lists of one listener. The paths are relative to its tls.
func expired(l *spec.ListenerTLS, now time.Time) []spec.Problem {
	if l == nil || l.ClientAuth == nil {
		return nil
	}
	var problems []spec.Problem
	for i, f := range l.ClientAuth.CRL {
		lists, _ := parseLists(f.Bytes)
		for _, x := range lists {
			if x == nil || x.NextUpdate.IsZero() || !now.After(x.NextUpdate) {
				continue
			}
			problems = append(problems, spec.Problem{
				Path:  spec.At("clientAuth.crl", i),
				What:  fmt.Sprintf("%q should have been replaced on %s: %s", f.Path, x.NextUpdate.UTC().Format(time.DateOnly), fate(l.ClientAuth)),
				Help:  "fetch the list of today",
				Level: spec.Warning,
			})
		}
	}
	return problems
}

func fate(auth *spec.ClientAuth) string {
	if auth.ExpiredCRL == spec.ExpiredAccept {
		return "clients revoked since then are let in"
	}
	return "every client of its authority is refused"
}
