package spec

// TLSVersion is a version of TLS.
type TLSVersion string

// The versions that are spoken.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// TargetTLS is how the targets of a group are greeted, by requests and by https
// checks; that it is there turns TLS on.
type TargetTLS struct {
	// CA is a PEM file of the authorities that vouch for targets; none means the
	// system's.
	CA File `json:"ca,omitzero"`
	// ServerName is the name that targets are asked for and verified by. Empty
	// means the host that they see in the request.
	ServerName string `json:"serverName,omitempty"`
	// Certificate, leaf first, and Key are shown to targets that ask who we are.
	Certificate File   `json:"certificate,omitzero"`
	Key         Secret `json:"key,omitzero"`
	// InsecureSkipVerify takes any certificate of any name.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// MinVersion is the oldest version that is spoken.
	MinVersion TLSVersion `json:"minVersion,omitempty" default:"1.2" enum:"1.2|1.3"`
	// Resumption takes up sessions again, which saves most of a handshake; nil
	// means true.
	Resumption *bool `json:"resumption,omitempty"`
}

// Resumes reports whether sessions are taken up again.
func (t *TargetTLS) Resumes() bool { return t.Resumption == nil || *t.Resumption }

// ListenerTLS is how the clients of an https listener are greeted. Its zero value
// is what a listener without one has.
type ListenerTLS struct {
	// Preset chooses versions and cipher suites.
	Preset TLSPreset `json:"preset,omitempty" default:"intermediate" enum:"intermediate|modern"`
	// UnknownName is what becomes of a client that asks for a name which no
	// certificate is for, or for none.
	UnknownName UnknownName `json:"unknownName,omitempty" default:"first" enum:"first|refuse"`
	// Curves are the groups for the exchange of keys; none means all, the best first.
	Curves []Curve `json:"curves,omitempty" enum:"X25519MLKEM768|X25519|P-256|P-384|P-521"`
	// ClientAuth asks clients for certificates of their own.
	ClientAuth *ClientAuth `json:"clientAuth,omitempty"`
}

// TLSPreset is a set of versions and cipher suites with a name.
type TLSPreset string

// The presets, after those of Mozilla.
const (
	PresetIntermediate TLSPreset = "intermediate" // TLS 1.2 with forward secrecy and AEAD, and 1.3
	PresetModern       TLSPreset = "modern"       // TLS 1.3 alone
)

// UnknownName is what becomes of a client that asks for a name nobody certified.
type UnknownName string

// The answers to an unknown name.
const (
	UnknownFirst  UnknownName = "first"  // it is greeted with the first certificate
	UnknownRefuse UnknownName = "refuse" // the handshake ends with unrecognized_name
)

// Curve is a group for the exchange of keys.
type Curve string

// The curves.
const (
	X25519MLKEM768 Curve = "X25519MLKEM768"
	X25519         Curve = "X25519"
	P256           Curve = "P-256"
	P384           Curve = "P-384"
	P521           Curve = "P-521"
)

// ClientAuth asks the clients of a listener for certificates.
type ClientAuth struct {
	Mode ClientAuthMode `json:"mode,omitempty" default:"require" enum:"require|optional-verify|request"`
	// CA is a PEM file of the authorities that vouch for clients.
	CA File `json:"ca,omitzero"`
	// CRL are lists of revoked certificates (PEM or DER), each signed by one of CA.
	CRL []File `json:"crl,omitempty"`
	// ExpiredCRL is what becomes of clients whose list should have been replaced.
	ExpiredCRL ExpiredCRL `json:"expiredCRL,omitempty" default:"refuse" enum:"refuse|accept"`
	// Allow lets in clients that match any of these; none means every client that
	// was verified.
	Allow []ClientMatch `json:"allow,omitempty"`
	// ForwardCertificate sends the whole certificate to targets (RFC 9440).
	ForwardCertificate bool `json:"forwardCertificate,omitempty"`
}

// RequiresCertificate reports whether only clients with a certificate are let in.
func (l *Listener) RequiresCertificate() bool {
	return l.TLS != nil && l.TLS.ClientAuth != nil && (l.TLS.ClientAuth.Mode == ClientRequire || l.TLS.ClientAuth.Mode == "")
}

// ClientAuthMode says whether a client must show a certificate.
type ClientAuthMode string

// The modes of ClientAuth.
const (
	ClientRequire  ClientAuthMode = "require"         // it must show one that is verified
	ClientOptional ClientAuthMode = "optional-verify" // it may; one that it shows must be verified
	ClientRequest  ClientAuthMode = "request"         // it may; any is taken, and targets are told that nobody verified it
)

// ExpiredCRL is what an expired list of revoked certificates means.
type ExpiredCRL string

// The meanings of an expired list.
const (
	ExpiredRefuse ExpiredCRL = "refuse" // nobody of that authority is let in
	ExpiredAccept ExpiredCRL = "accept" // it is used as it is
)

// ClientMatch is what a client's certificate must say: all that is given.
type ClientMatch struct {
	CommonName   string `json:"commonName,omitempty"`
	Organization string `json:"organization,omitempty"`
	Unit         string `json:"unit,omitempty"`
	// SAN is one of the alternative names: a host, an email address, a URI or an
	// address. A star stands for one label of a host, or for the end of a URI.
	SAN string `json:"san,omitempty"`
	// Fingerprint is the SHA-256 of the certificate in hexadecimal, with or
	// without colons.
	Fingerprint string `json:"fingerprint,omitempty"`
}
