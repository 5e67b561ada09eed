//go:build !race

// The race detector empties sync.Pools at random.

package sticky_test

import (
	"testing"
	"time"

	"portico/l7/message"
	"portico/l7/sticky"
)

// Reading, setting and stripping a cookie does not allocate.
func TestAllocates(t *testing.T) {
	c := cookie(time.Hour, keyA, keyB)
	s := sticky.Session{Group: "api", Target: 7}
	fields := header("a=1; " + pair(c.Append(nil, s, start, true)))
	buf := make([]byte, 0, 512)
	keep := make([]message.Field, len(fields))
	for name, f := range map[string]func(){
		"Read":   func() { c.Read(fields, start) },
		"Append": func() { c.Append(buf, s, start, true) },
		"Strip":  func() { copy(keep, fields); c.Strip(keep, buf) },
	} {
		if n := testing.AllocsPerRun(200, f); n >= 1 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
