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
func (l *Listener) SpeaksHTTP2() bool { return l.HTTP2 == nil || l.HTTP2.Enabled }

// HTTP2 is how clients of a listener speak HTTP/2; its short form is Enabled.
type HTTP2 struct {
	// Enabled lets them: agreed on in the TLS handshake, or known beforehand in
	// plain text.
	Enabled bool `json:"enabled" default:"true" short:"true"`
	// Streams is how many requests a connection may have at once; one more is
	// refused in a way that clients send again.
	Streams int `json:"streams,omitempty" default:"128" range:"1..10000"`
	// StreamWindow is how much of a body that no target took a stream may hold, and
	// ConnectionWindow all streams of a connection. A stream begins with 64 KiB,
	// and has more as its body is taken.
	StreamWindow     Size `json:"streamWindow,omitempty" default:"1MiB" range:"64KiB..16MiB"`
	ConnectionWindow Size `json:"connectionWindow,omitempty" default:"4MiB" range:"64KiB..256MiB"`
	// Resets bounds streams that a client resets, or that end by its mistake, as if
	// {burst: 500, perSecond: 50}; Control PING, SETTINGS, PRIORITY, unknown frames,
	// and WINDOW_UPDATE beyond those for data, {burst: 1000, perSecond: 200}; Empty
	// frames of data that hold nothing, {burst: 100, perSecond: 10}. A client that
	// goes beyond has its connection ended.
	Resets  Flood `json:"resets,omitzero"`
	Control Flood `json:"control,omitzero"`
	Empty   Flood `json:"empty,omitzero"`
}

// Flood is how often something may happen on a connection. Zero means the default.
type Flood struct {
	Burst     int `json:"burst,omitempty" range:"1..1000000"`     // at once
	PerSecond int `json:"perSecond,omitempty" range:"1..1000000"` // for good
}
