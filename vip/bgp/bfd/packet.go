package bfd

import (
	"encoding/binary"
	"errors"
	"time"
)

// State is that of a session at one of its ends (RFC 5880, section 4.1).
type State uint8

// The states, with their numbers on the wire.
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String is the state as RFC 5880 names it, in lower case.
func (s State) String() string {
	if s > Up {
		return "unknown"
	}
	return [...]string{"admin-down", "down", "init", "up"}[s]
}

// Diagnostic says why a session left Up (RFC 5880, section 4.1).
type Diagnostic uint8

// The diagnostics that we send.
const (
	NoDiagnostic     Diagnostic = 0
	Expired          Diagnostic = 1 // the detection time passed
	NeighborSignaled Diagnostic = 3 // the other end said down
	Administrative   Diagnostic = 7 // we were told to say down
)

// Packet is a control packet without authentication (RFC 5880, section 4.1).
type Packet struct {
	Diagnostic Diagnostic
	State      State
	Poll       bool
	Final      bool
	// Independent says that the data path outlives the control plane (the C bit).
	Independent bool
	Demand      bool
	Multiplier  uint8
	Mine, Yours uint32        // discriminators
	Transmit    time.Duration // the least interval that the sender wishes for
	Receive     time.Duration // the least interval that the sender can take; 0 means send nothing
}

// size is that of a packet without authentication.
const size = 24

const version = 1

// The bits of the second octet.
const (
	bitPoll           = 0x20
	bitFinal          = 0x10
	bitIndependent    = 0x08
	bitAuthentication = 0x04
	bitDemand         = 0x02
	bitMultipoint     = 0x01
)

// Append appends the packet as it is on the wire; intervals in microseconds.
func (p Packet) Append(b []byte) []byte {
	flags := byte(p.State) << 6
	for bit, set := range map[byte]bool{bitPoll: p.Poll, bitFinal: p.Final, bitIndependent: p.Independent, bitDemand: p.Demand} {
		if set {
			flags |= bit
		}
	}
	b = append(b, version<<5|byte(p.Diagnostic)&0x1f, flags, p.Multiplier, size)
	b = binary.BigEndian.AppendUint32(b, p.Mine)
	b = binary.BigEndian.AppendUint32(b, p.Yours)
	b = binary.BigEndian.AppendUint32(b, uint32(p.Transmit.Microseconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Receive.Microseconds()))
	return binary.BigEndian.AppendUint32(b, 0) // no echo
}

// ErrPacket is a packet that RFC 5880, section 6.8.6, says to discard.
var ErrPacket = errors.New("bfd: not a control packet")

// Parse reads a packet; every error is ErrPacket.
func Parse(b []byte) (Packet, error) {
	if len(b) < size || b[0]>>5 != version || b[3] < size || int(b[3]) > len(b) || b[1]&(bitAuthentication|bitMultipoint) != 0 {
		return Packet{}, ErrPacket
	}
	microseconds := func(at int) time.Duration {
		return time.Duration(binary.BigEndian.Uint32(b[at:])) * time.Microsecond
	}
	p := Packet{
		Diagnostic: Diagnostic(b[0] & 0x1f), State: State(b[1] >> 6),
		Poll: b[1]&bitPoll != 0, Final: b[1]&bitFinal != 0,
		Independent: b[1]&bitIndependent != 0, Demand: b[1]&bitDemand != 0,
		Multiplier: b[2], Mine: binary.BigEndian.Uint32(b[4:]), Yours: binary.BigEndian.Uint32(b[8:]),
		Transmit: microseconds(12), Receive: microseconds(16),
	}
	if p.Multiplier == 0 || p.Mine == 0 || (p.Yours == 0 && p.State > Down) {
		return Packet{}, ErrPacket
	}
	return p, nil
}
