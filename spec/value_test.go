package spec_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"portico/spec"
)

// TestDuration proves that a duration is read with its unit and written as it is read.
func TestDuration(t *testing.T) {
	tests := []struct{ text, want, problem string }{
		{"5s", "5s", ""},
		{"1m30s", "1m30s", ""},
		{"90s", "1m30s", ""},
		{"1h", "1h", ""},
		{"500ms", "500ms", ""},
		{"off", "off", ""},
		{"5", "", "has no unit; use 5s or 5ms"},
		{"-5s", "", "is negative"},
		{"soon", "", "is not a duration"},
		{"", "", "is not a duration"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			var d spec.Duration
			err := d.UnmarshalText([]byte(tt.text))
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Fatalf("error %v, want one with %q", err, tt.problem)
				}
				return
			}
			if err != nil || d.String() != tt.want {
				t.Errorf("read %q as %q (%v), want %q", tt.text, d, err, tt.want)
			}
		})
	}
}

// TestSize proves that a size is read with its unit, and bounded.
func TestSize(t *testing.T) {
	tests := []struct {
		text string
		want spec.Size
		ok   bool
	}{
		{"512B", 512, true},
		{"64KiB", 64 << 10, true},
		{"10MiB", 10 << 20, true},
		{"1GiB", 1 << 30, true},
		{"64KB", 0, false},
		{"64", 0, false},
		{"-1KiB", 0, false},
		{"9999999999999999999GiB", 0, false},
		{"9223372036854775807GiB", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			var s spec.Size
			err := s.UnmarshalText([]byte(tt.text))
			if (err == nil) != tt.ok || s != tt.want {
				t.Errorf("read %q as %d (%v), want %d", tt.text, s, err, tt.want)
			}
			if tt.ok && s.String() != tt.text {
				t.Errorf("written as %q, want %q", s, tt.text)
			}
		})
	}
}

// TestInherit proves the order in which timeouts are inherited, and that what is
// off stays off.
func TestInherit(t *testing.T) {
	seconds := func(n int) spec.Duration { return spec.Duration(time.Duration(n) * time.Second) }
	listener := spec.Timeouts{Idle: seconds(1), Response: seconds(1), Body: spec.Off}
	rule := spec.Timeouts{Response: seconds(2)}
	group := spec.Timeouts{Connect: seconds(3)}
	got := spec.Inherit(listener, spec.Timeouts{}, rule, group)
	want := spec.DefaultTimeouts()
	want.Idle, want.Response, want.Connect, want.Body = seconds(1), seconds(2), seconds(3), spec.Off
	if got != want {
		t.Errorf("Inherit = %+v, want %+v", got, want)
	}
}

// TestSecretIsNeverShown proves that no way of printing a secret, or the spec
// around it, shows its value.
func TestSecretIsNeverShown(t *testing.T) {
	s := spec.Spec{Secrets: spec.Secrets{Sticky: []spec.Secret{{File: "/etc/key", Value: []byte("hush")}}}}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		string(text), fmt.Sprintf("%v", s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s.Secrets.Sticky[0]),
		s.Secrets.Sticky[0].String(),
	} {
		if strings.Contains(shown, "hush") || strings.Contains(shown, "104 117 115 104") {
			t.Errorf("a secret is shown in %s", shown)
		}
	}
}

// TestAt proves how the path of a problem is joined.
func TestAt(t *testing.T) {
	for want, parts := range map[string][]any{
		"routes[2].rules[0].match": {"routes", 2, "rules", 0, "match"},
		"a.b":                      {"a", "", "b"},
		"filters[1].redirect":      {"filters[1]", "redirect"},
		"addresses[east]":          {"addresses", "[east]"},
	} {
		if got := spec.At(parts...); got != want {
			t.Errorf("At(%v) = %q, want %q", parts, got, want)
		}
	}
}
