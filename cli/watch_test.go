package cli

import (
	"fmt"
	"testing"
)

// TestWatchHalfWritten proves that a look never takes a file for seen that
// changed, came or went while it was read.
func TestWatchHalfWritten(t *testing.T) {
	h := &host{seen: fingerprint{"/none/a": "1 1", "/none/b": "2 2"}}
	h.from.list = func() []string { return []string{"/none/a", "/none/new"} }
	h.depend([]string{"/none/a", "/none/b", "/none/cert"})
	want := fingerprint{"/none/a": "1 1", "/none/b": "2 2", "/none/cert": "gone"}
	if fmt.Sprint(h.seen) != fmt.Sprint(want) {
		t.Errorf("seen is %v, want %v", h.seen, want)
	}
}
