package relay

// Reason is why a flow ended.
type Reason uint8

// The reasons a flow ends for. The first cause counts.
const (
	open          Reason = iota
	ClientClosed         // the client said it was done first
	TargetClosed         // the target did
	ClientReset          // the client reset the flow, or vanished
	TargetReset          // the target did
	Idle                 // no byte either way for as long as the idle timeout
	NoTarget             // there was no target to send it to
	ConnectFailed        // no target could be reached
	Limit                // the listener's limit, or the process's files
	Rate                 // more came to the listener in a while than may
	Drained              // it outlived the drain bound
	BadHead              // no PROXY header or ClientHello, or a bad or late one
	NoServer             // nobody has the name that a TLS client asks for
	Refused              // the target of a udp flow has no socket there
	Leaving              // it was a probe, told that the node leaves
	reasons              // how many there are
)

var reasonWords = [reasons]string{
	open:          "open",
	ClientClosed:  "client-closed",
	TargetClosed:  "target-closed",
	ClientReset:   "client-reset",
	TargetReset:   "target-reset",
	Idle:          "idle",
	NoTarget:      "no-target",
	ConnectFailed: "connect-failed",
	Limit:         "limit",
	Rate:          "rate",
	Drained:       "drained",
	BadHead:       "bad-head",
	NoServer:      "no-server",
	Refused:       "refused",
	Leaving:       "leaving",
}

// String is the reason as metrics and logs name it.
func (r Reason) String() string { return reasonWords[r] }

// MarshalText writes the reason as String does.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// isFailure reports whether the flow ended by a fault of ours or of a target.
func (r Reason) isFailure() bool {
	switch r {
	case TargetReset, Refused, NoTarget, ConnectFailed, Limit, Rate, Drained:
		return true
	default:
		return false
	}
}
