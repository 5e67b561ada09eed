package relay

import (
	"encoding/json"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"portico/l4"
	"portico/spec"
)

// flowLog writes a line for each flow that ended. It never holds a flow up: while its
// writer is slow, lines are dropped and counted.
type flowLog struct {
	to      io.Writer
	lines   chan line
	dropped atomic.Uint64
}

// linesMax is how many lines wait for the writer.
const linesMax = 4096

// line is what is written of a flow.
type line struct {
	Time     time.Time            `json:"time"` // when it ended
	Listener spec.ListenerName    `json:"listener"`
	Protocol string               `json:"protocol"` // tcp or udp
	Client   netip.AddrPort       `json:"client"`
	VIP      netip.AddrPort       `json:"vip"`
	Server   string               `json:"server,omitempty"` // that a TLS client asked for
	ID       string               `json:"id,omitempty"`     // that the target was told
	Group    spec.TargetGroupName `json:"group,omitempty"`
	Target   string               `json:"target,omitempty"`
	Up       int64                `json:"bytesUp"` // to the target
	Down     int64                `json:"bytesDown"`
	Took     float64              `json:"seconds"`
	Reason   Reason               `json:"reason"`
}

func (f *flowLog) init(to io.Writer) {
	if to == nil {
		to = io.Discard
	}
	f.to, f.lines = to, make(chan line, linesMax)
}

// start writes lines until stop; the channel is closed when all are written.
func (f *flowLog) start() <-chan struct{} {
	written := make(chan struct{})
	go func() {
		defer close(written)
		out := json.NewEncoder(f.to)
		for l := range f.lines {
			if out.Encode(l) != nil {
				f.dropped.Add(1)
			}
		}
	}()
	return written
}

// stop is called when no flow can end any more.
func (f *flowLog) stop() { close(f.lines) }

// add hands a line to the writer.
func (f *flowLog) add(l line) {
	select {
	case f.lines <- l:
	default:
		f.dropped.Add(1)
	}
}

// line is what there is to say of a flow that ended.
func (l *life) line(now time.Time) line {
	said := line{
		Time: now, Listener: l.tally.name, Protocol: "tcp",
		Client: l.tuple.Client, VIP: l.tuple.VIP, Server: l.tuple.Server, ID: l.id, Group: l.group,
		Up: l.moved[0], Down: l.moved[1], Took: now.Sub(l.begun).Seconds(), Reason: l.why,
	}
	if l.bind.proto == l4.UDP {
		said.Protocol = "udp"
	}
	if l.group != "" {
		said.Target = l.address.String()
	}
	return said
}
