package message_test

import (
	"net/http"
	"testing"
	"time"

	"portico/l7/message"
)

// TestDateAllocates proves that dates cost no memory, nor do seconds that pass.
func TestDateAllocates(t *testing.T) {
	var d message.Date
	now := time.Unix(0, 0)
	if got := string(d.Field(now).Value); got != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("the first date is %q", got)
	}
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(400 * time.Millisecond)
		d.Field(now)
	}); n != 0 {
		t.Errorf("a date takes %v allocations, want none", n)
	}
	if got, want := string(d.Field(now).Value), now.UTC().Format(http.TimeFormat); got != want {
		t.Errorf("the date is %q, want %q", got, want)
	}
}
