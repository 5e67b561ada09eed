package spec

// TCP is how the sockets of connections are set. Zero means what the system does,
// but for KeepAlive.
type TCP struct {
	// Congestion is the algorithm of congestion control, such as bbr. A node whose
	// kernel does not grant it does without, with a warning.
	Congestion string `json:"congestion,omitempty"`
	// KeepAlive is how long no packet comes until the peer is asked whether it is
	// still there; 0 means 15s, "off" that it is not asked.
	KeepAlive Duration `json:"keepalive,omitempty"`
	// UserTimeout is how long what was sent may stay unacknowledged until the
	// connection is given up.
	UserTimeout Duration `json:"userTimeout,omitempty"`
	// MSS bounds segments both ways, in bytes.
	MSS int `json:"mss,omitempty" range:"88..32767"`
	// FastOpen lets data travel with the SYN (RFC 7413).
	FastOpen bool `json:"fastOpen,omitempty"`
	// Fragment lets routers cut packets that are too large for a link (IPv4),
	// where messages that say so get lost.
	Fragment bool `json:"fragment,omitempty"`
}

// ListenerTCP is TCP for the sockets of a listener.
type ListenerTCP struct {
	TCP
	// Backlog bounds connections that nobody accepted yet; 0 means the most that
	// the system allows.
	Backlog int `json:"backlog,omitempty" range:"1..65535"`
}
