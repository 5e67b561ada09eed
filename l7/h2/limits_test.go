package h2_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"golang.org/x/net/http2"

	"portico/l7/h2"
	"portico/l7/message"
	"portico/spec"
)

// TestLimitsOf proves that a listener has what its spec says, and the defaults
// elsewhere.
func TestLimitsOf(t *testing.T) {
	usual := *h2.DefaultLimits()
	given := usual
	given.Streams, given.ConnWindow, given.Resets.Burst = 7, 1<<20, 3
	tests := []struct {
		name string
		spec *spec.HTTP2
		want *h2.Limits
	}{
		{"nothing said", nil, &usual},
		{"refused", &spec.HTTP2{Streams: 7}, nil},
		{"allowed", &spec.HTTP2{Enabled: true}, &usual},
		{"bounded", &spec.HTTP2{Enabled: true, Streams: 7, ConnectionWindow: 1 << 20, Resets: spec.Flood{Burst: 3}}, &given},
	}
	for _, tt := range tests {
		got := h2.LimitsOf(tt.spec)
		if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestLimits proves that a client is told of its limits, and held to them.
func TestLimits(t *testing.T) {
	l := h2.DefaultLimits()
	l.Streams, l.ConnWindow, l.Resets = 2, 1<<20, h2.Rate{Burst: 3, PerSecond: 1}
	c, s := newClient(), newEnd(t, h2.Options{Limits: l})
	var streams, window uint32
	frames(t, s.c.Output(), func(f http2.Frame) {
		switch f := f.(type) {
		case *http2.SettingsFrame:
			streams, _ = f.Value(http2.SettingMaxConcurrentStreams)
		case *http2.WindowUpdateFrame:
			window += f.Increment
		}
	})
	if streams != 2 || window != 1<<20-65535 {
		t.Errorf("%d streams and %d more of a window were offered", streams, window)
	}
	for id := uint32(1); id <= 7; id += 2 {
		c.open(id, true, get...)
		_ = c.WriteRSTStream(id, http2.ErrCodeCancel)
		s.hear(bytes.Clone(c.out.Bytes()))
		c.out.Reset()
		s.closeGone()
		if over := s.c.Err() != nil; over != (id == 7) {
			t.Errorf("after %d resets of 3: %v", (id+1)/2, s.c.Err())
		}
	}
}

// TestSettingsFirst proves that settings are acknowledged before what they allow is
// sent: a peer that hears of data first takes it for too much (RFC 9113, section 6.5.3).
func TestSettingsFirst(t *testing.T) {
	c, s := newClient(), newEnd(t, h2.Options{})
	c.out.Reset()
	c.out.WriteString(h2.Preface)
	_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	c.open(1, true, get...)
	s.hear(bytes.Clone(c.out.Bytes()))
	s.c.Send(s.heard[0].s, &h2.Message{
		Response: &message.Response{Status: 200, Framing: message.Length, Length: 5}, Segs: [][]byte{[]byte("hello")}, End: true,
	})
	s.c.Wrote(len(s.c.Output()))
	c.out.Reset()
	_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100})
	s.hear(bytes.Clone(c.out.Bytes()))
	var got []http2.FrameType
	frames(t, s.c.Output(), func(f http2.Frame) { got = append(got, f.Header().Type) })
	if !slices.Equal(got, []http2.FrameType{http2.FrameSettings, http2.FrameData}) {
		t.Errorf("the window opened, and these frames were sent: %v, want SETTINGS and DATA", got)
	}
}

// frames calls f with each that was written.
func frames(t *testing.T, out []byte, f func(http2.Frame)) {
	t.Helper()
	r := http2.NewFramer(io.Discard, bytes.NewReader(out))
	for {
		fr, err := r.ReadFrame()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f(fr)
	}
}
