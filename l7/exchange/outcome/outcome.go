// Package outcome is how a request ended, in words that logs and metrics share.
//
// It holds no decision: package exchange says what happened, whoever observes the end
// of a request reads it.
//
// Start reading at Why.
package outcome

import "time"

// Result says how a request ended.
type Result struct {
	Status int    // sent to the client; 0 if none was
	Why    Why    // OK, or what went wrong first
	Detail string // for the log, never for the client; may be empty

	Start     time.Time     // when the first byte of the head came
	Wait      time.Duration // from Start until the head was whole
	Held      time.Duration // spent pending
	Connect   time.Duration // spent on connecting to targets; 0 when pooled
	Sent      time.Duration // from Start until the last of its body was passed on; 0 without one
	FirstByte time.Duration // from Start until the target's final head was whole; 0 if never
	Total     time.Duration // from Start until the end

	BytesIn  int64 // of the request's body or the tunnel, from the client
	BytesOut int64 // of the response's body or the tunnel, to the client
	Retries  int   // targets or connections tried after the first
	Reused   bool  // the target's connection was pooled
	Tunnel   bool  // it was upgraded
}

// Why is the reason a request ended as it did. Its string is stable: it appears
// in the access log and as a label of metrics.
type Why uint8

// The reasons.
const (
	OK                    Why = iota // answered by a target, wholly
	Handled                          // answered by the handler: redirect, fixed response
	ClientClosed                     // the client went away before its answer was whole
	ClientTimeout                    // the client sent or took its bytes too slowly
	ClientBadRequest                 // not HTTP, or not allowed: 400, 417, 501, 505
	ClientTooLarge                   // head or body above a limit: 413, 431
	TargetConnectFailed              // no connection to any target that was tried
	TargetConnectTimeout             // the last connection tried took too long
	TargetHandshakeFailed            // the last target tried could not be greeted with TLS
	TargetTimeout                    // the target took or sent its bytes too slowly
	TargetClosed                     // the target went away before its answer was whole
	TargetBadResponse                // the target's answer is not HTTP
	NoTarget                         // the handler named no target
	Overloaded                       // turned away: every target, the listener or the process is at its limit
	TotalTimeout                     // the whole request took too long
	TunnelTimeout                    // no byte either way for too long
	WaitTimeout                      // what the request had to wait for took too long
	Drained                          // cut off when the drain's bound passed
	Refused                          // answered by the handler, which did not let it pass
	whys
)

// Whys lists every reason, for the labels of metrics.
func Whys() []Why {
	all := make([]Why, whys)
	for i := range all {
		all[i] = Why(i)
	}
	return all
}

// whyNames are those of the reasons, in their order.
var whyNames = [whys + 1]string{
	"ok", "handled", "client-closed", "client-timeout", "client-bad-request", "client-too-large",
	"target-connect-failed", "target-connect-timeout", "target-handshake-failed", "target-timeout",
	"target-closed", "target-bad-response", "no-target", "overloaded", "total-timeout", "tunnel-timeout",
	"wait-timeout", "drained", "refused", "unknown",
}

// String is the reason's stable name.
func (w Why) String() string { return whyNames[min(w, whys)] }
