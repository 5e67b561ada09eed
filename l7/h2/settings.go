package h2

import (
	"encoding/binary"
	"time"

	"portico/l7/h2/frame"
)

// Settings by their numbers (RFC 9113, section 6.5.2; RFC 8441, section 3).
const (
	settingTable   = 0x1
	settingPush    = 0x2
	settingStreams = 0x3
	settingWindow  = 0x4
	settingFrame   = 0x5
	settingList    = 0x6
	settingConnect = 0x8
	settingSize    = 6
)

const (
	settingsMax = 64 // in one frame; there are ten or so
	// tableDefault is how large tables of header blocks are before anything is said.
	tableDefault = 4096
	// streamsUntilKnown is how many streams a peer is taken to allow before it
	// says so, streamsNobodyNeeds afterwards where it does not.
	streamsUntilKnown  = 100
	streamsNobodyNeeds = 1 << 20
)

// peer is what the other side set.
type peer struct {
	streams uint32 // how many it lets us open
	window  int32  // of its streams at first
	frame   int    // the largest it takes
	connect bool   // it takes extended CONNECT
	limited bool   // it said so
	known   bool   // its settings came
}

func defaults() peer {
	return peer{streams: streamsUntilKnown, window: frame.WindowStart, frame: frame.Max}
}

// appendSettings writes ours.
func (c *Conn) appendSettings() {
	at := len(c.out)
	c.out = frame.Append(c.out, 0, frame.Settings, 0, 0)
	set := func(id uint16, value uint32) {
		c.out = binary.BigEndian.AppendUint16(c.out, id)
		c.out = binary.BigEndian.AppendUint32(c.out, value)
	}
	if c.o.Client {
		set(settingPush, 0)
	} else {
		set(settingStreams, uint32(c.o.Limits.Streams))
		if c.o.Connect {
			set(settingConnect, 1)
		}
	}
	set(settingWindow, uint32(c.o.Window))
	set(settingList, uint32(c.o.Head))
	c.out[at+2] = byte(len(c.out) - at - frame.HeadSize)
}

// settings takes the peer's.
func (c *Conn) settings(f frame.Head, p []byte) {
	switch {
	case f.Stream != 0:
		c.fail(ProtocolError, "SETTINGS on a stream")
		return
	case f.Has(frame.FlagAck):
		if f.Size != 0 {
			c.fail(FrameSizeError, "SETTINGS acknowledged with a payload")
		}
		c.ackAt = time.Time{}
		return
	case f.Size%settingSize != 0:
		c.fail(FrameSizeError, "SETTINGS of a wrong size")
		return
	case f.Size/settingSize > settingsMax:
		c.fail(EnhanceYourCalm, "too many settings")
		return
	}
	if c.peer.known && !c.afford(&c.chatter, c.o.Limits.Control, "SETTINGS") {
		return
	}
	for ; len(p) > 0; p = p[settingSize:] {
		if !c.set(binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])) {
			return
		}
	}
	if !c.peer.known {
		c.peer.known = true
		if !c.peer.limited {
			c.peer.streams = streamsNobodyNeeds
		}
	}
	// Before what the settings allow: the peer is to know that it comes by these.
	c.out = frame.Append(c.out, 0, frame.Settings, frame.FlagAck, 0)
	c.pump()
}

// set takes one of them, and reports whether it is acceptable.
func (c *Conn) set(id uint16, value uint32) bool {
	switch id {
	case settingPush:
		if value > 1 || c.o.Client && value == 1 {
			c.fail(ProtocolError, "ENABLE_PUSH")
			return false
		}
	case settingStreams:
		c.peer.streams, c.peer.limited = value, true
	case settingWindow:
		return c.setWindow(value)
	case settingFrame:
		if value < frame.Max || value > 1<<24-1 {
			c.fail(ProtocolError, "MAX_FRAME_SIZE")
			return false
		}
	case settingConnect:
		if value > 1 || c.peer.connect && value == 0 {
			c.fail(ProtocolError, "ENABLE_CONNECT_PROTOCOL")
			return false
		}
		c.peer.connect = value == 1
	case settingTable: // we keep none, but where it shrinks that has to be said
		c.shrunk = c.shrunk || value < tableDefault
	case settingList: // what is too much for the peer it says
	}
	return true
}

// setWindow changes the windows of all streams by as much as the first window of a
// new one changes (RFC 9113, section 6.9.2).
func (c *Conn) setWindow(value uint32) bool {
	if value > frame.WindowMax {
		c.fail(FlowControlError, "INITIAL_WINDOW_SIZE")
		return false
	}
	delta := int64(value) - int64(c.peer.window)
	c.peer.window = int32(value)
	for _, s := range c.streams {
		if s.window+delta > frame.WindowMax {
			c.fail(FlowControlError, "INITIAL_WINDOW_SIZE with a window that is open")
			return false
		}
		s.window += delta
		if delta > 0 && len(s.unsent()) > 0 {
			c.enqueue(s)
		}
	}
	return true
}
