package pace_test

import (
	"testing"
	"time"

	"portico/l7/exchange/pace"
)

// TestSlow proves who is slow at the end of a window of ten seconds at least ten
// bytes a second each.
func TestSlow(t *testing.T) {
	tests := []struct {
		name       string
		begin, end pace.Sight
		up, down   bool
	}{
		{"sent enough", pace.Sight{Up: true}, pace.Sight{Up: true, In: 100}, false, false},
		{"sent too little", pace.Sight{Up: true, In: 50}, pace.Sight{Up: true, In: 149}, true, false},
		{"began in between", pace.Sight{}, pace.Sight{Up: true, In: 1}, false, false},
		{"ended in between", pace.Sight{Up: true}, pace.Sight{In: 1}, false, false},
		{"took enough", pace.Sight{Down: true}, pace.Sight{Down: true, Out: 100}, false, false},
		{"took too little", pace.Sight{Down: true}, pace.Sight{Down: true, Out: 99}, false, true},
		{"the target was slow", pace.Sight{Down: true}, pace.Sight{Out: 1}, false, false},
		{"both", pace.Sight{Up: true, Down: true}, pace.Sight{Up: true, Down: true}, true, true},
	}
	now := time.Unix(1_700_000_000, 0)
	for _, tt := range tests {
		w := pace.Begin(tt.begin, 10*time.Second, now)
		if up, down := w.Slow(tt.end, 10); up != tt.up || down != tt.down || w.End.Sub(now) != 10*time.Second {
			t.Errorf("%s: Slow = %v, %v, want %v, %v", tt.name, up, down, tt.up, tt.down)
		}
	}
}
