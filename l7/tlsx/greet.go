package tlsx

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"portico/spec"
)

// Options are what Greet needs.
type Options struct {
	// Listener is what the spec says; nil means the defaults.
	Listener *spec.ListenerTLS
	// Set are the certificates.
	Set *Set
	// Tickets are those of the process.
	Tickets *Tickets
	// Protocols are offered by ALPN, the best first.
	Protocols []string
}

// Greet returns the configuration that clients of a listener are greeted with
// under one spec. All listeners of a process have the same ticket keys: what a
// session of another listener proves of its client is proven anew. Problems are
// relative to the listener's tls.
func Greet(o Options) (*tls.Config, []spec.Problem) {
	if o.Listener == nil {
		o.Listener = &spec.ListenerTLS{}
	}
	g := &greeting{set: o.Set, tickets: o.Tickets, refuse: refuses(o.Listener)}
	c := &tls.Config{
		MinVersion:       tls.VersionTLS12,
		CipherSuites:     suites,
		CurvePreferences: curves(o.Listener.Curves),
		NextProtos:       o.Protocols,
		GetCertificate:   g.certificate,
		VerifyConnection: g.verify,
		// Records are as large as what is written at once; short ones while a
		// connection is young cost more than they hasten.
		DynamicRecordSizingDisabled: true,
	}
	if o.Listener.Preset == spec.PresetModern {
		c.MinVersion = tls.VersionTLS13
	}
	var problems []spec.Problem
	if auth := o.Listener.ClientAuth; auth != nil {
		if g.clients, problems = newClients(auth); len(problems) > 0 {
			return nil, problems
		}
		c.ClientAuth, c.ClientCAs = g.clients.mode, g.clients.roots
	}
	g.config = c
	c.WrapSession, c.UnwrapSession = g.wrap, g.unwrap
	return c, nil
}

// suites are those of TLS 1.2 with forward secrecy and AEAD. What TLS 1.3 has is
// all of that kind.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// curves are the groups of a spec; nil leaves them to crypto/tls, which begins
// with X25519MLKEM768.
func curves(names []spec.Curve) []tls.CurveID {
	var ids []tls.CurveID
	for _, name := range names {
		switch name {
		case spec.X25519MLKEM768:
			ids = append(ids, tls.X25519MLKEM768)
		case spec.X25519:
			ids = append(ids, tls.X25519)
		case spec.P256:
			ids = append(ids, tls.CurveP256)
		case spec.P384:
			ids = append(ids, tls.CurveP384)
		case spec.P521:
			ids = append(ids, tls.CurveP521)
		}
	}
	return ids
}

// refuses reports whether a client is refused that asks for an unknown name.
func refuses(l *spec.ListenerTLS) bool { return l != nil && l.UnknownName == spec.UnknownRefuse }

// greeting is what the functions of one configuration know.
type greeting struct {
	set     *Set
	tickets *Tickets
	config  *tls.Config
	clients *clients // nil where no certificate is asked for
	refuse  bool     // unknown names
}

// certificate answers a ClientHello of a new session.
func (g *greeting) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	g.tickets.step()
	if g.refuse {
		return choose(g.set.named(hello.ServerName), hello), nil
	}
	return choose(g.set.For(hello.ServerName), hello), nil
}

// errUnknownName is what a client ends with that resumes a session of another
// listener under a name that this one refuses.
var errUnknownName = errors.New("tls: no certificate is for the name of the client")

// verify judges every connection, those that resume a session included.
func (g *greeting) verify(state tls.ConnectionState) error {
	if g.refuse && g.set.named(state.ServerName) == nil {
		return fmt.Errorf("%w: %q", errUnknownName, state.ServerName)
	}
	if g.clients != nil {
		return g.clients.verify(state)
	}
	return nil
}

// nameMark begins the part of a session that says for which name it is.
const nameMark = "portico name "

// wrap makes the ticket of a session.
func (g *greeting) wrap(state tls.ConnectionState, session *tls.SessionState) ([]byte, error) {
	session.Extra = append(session.Extra, []byte(nameMark+normalize(state.ServerName)))
	return g.config.EncryptTicket(state, session)
}

// unwrap reads a ticket. A session is not resumed under another name than it was
// made for (RFC 6066, section 3): whoever keeps clients of two names apart by
// certificate would be deceived.
func (g *greeting) unwrap(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
	session, err := g.config.DecryptTicket(ticket, state)
	if session == nil || err != nil {
		return nil, err
	}
	for _, extra := range session.Extra {
		if name, ok := strings.CutPrefix(string(extra), nameMark); ok && name == normalize(state.ServerName) {
			return session, nil
		}
	}
	return nil, nil //nolint:nilnil // a whole handshake follows
}
