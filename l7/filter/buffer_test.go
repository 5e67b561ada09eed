package filter_test

import (
	"testing"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
)

// TestBuffer proves which requests wait for their body, which are refused, and
// which answers are held.
func TestBuffer(t *testing.T) {
	chain := compile(t, one("buffer", &filter.Buffer{Request: 10, Response: 20}))
	for _, tt := range []struct {
		name    string
		framing message.Framing
		length  int64
		kind    string
		gather  int64
		status  int
	}{
		{"nothing", message.NoBody, -1, "", 0, 0},
		{"fits", message.Length, 10, "", 10, 0},
		{"does not say", message.Chunked, -1, "", 10, 0},
		{"too large", message.Length, 11, "", 0, 413},
		{"a call", message.Chunked, -1, "application/grpc-web+proto", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, d := request(), &exchange.Decision{}
			req.Framing, req.Length = tt.framing, tt.length
			if tt.kind != "" {
				req.Fields = append(req.Fields, fields("Content-Type: "+tt.kind)...)
			}
			chain.Request(req, match, d)
			if status := statusOf(d); d.Gather != tt.gather || d.Pending != (tt.gather > 0) || status != tt.status {
				t.Errorf("gathers %d, pending %v, status %d; want %d and %d", d.Gather, d.Pending, status, tt.gather, tt.status)
			}
		})
	}
	for kind, want := range map[string]int64{"text/html": 20, "text/event-stream; charset=utf-8": 0} {
		d := &exchange.Decision{}
		resp := &message.Response{Status: 200, Fields: fields("Content-Type: " + kind)}
		chain.Response(request(), resp, match, d)
		if d.Hold != want {
			t.Errorf("of an answer of %s %d are held, want %d", kind, d.Hold, want)
		}
	}
	if problems := (&filter.Buffer{}).Check(); len(problems) != 1 {
		t.Errorf("a buffer of nothing: %v", problems)
	}
}

func statusOf(d *exchange.Decision) int {
	if d.Fixed == nil {
		return 0
	}
	return d.Fixed.Status
}
