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
