package spec

// TargetProtocol is what is spoken with the targets of a group.
type TargetProtocol string

// The protocols of targets.
const (
	TargetHTTP1 TargetProtocol = "h1"
	TargetHTTP2 TargetProtocol = "h2"
	// TargetAuto is HTTP/2 where a target agrees on it in the TLS handshake, and
	// HTTP/1.1 everywhere else.
	TargetAuto TargetProtocol = "auto"
)

// SpeaksHTTP2 reports whether clients of a listener may speak HTTP/2.
func (l *Listener) SpeaksHTTP2() bool { return l.HTTP2 == nil || *l.HTTP2 }
