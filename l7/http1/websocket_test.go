package http1_test

import (
	"testing"

	"portico/l7/http1"
)

// TestAppendAccept proves the proof of RFC 6455, section 1.3.
func TestAppendAccept(t *testing.T) {
	const key, want = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	if got := string(http1.AppendAccept([]byte("a: "), []byte(key))); got != "a: "+want {
		t.Errorf("AppendAccept(%q) = %q, want %q behind what was there", key, got, want)
	}
}
