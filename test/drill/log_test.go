package drill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// accessLog keeps the lines of requests that failed, for when a drill does: the last of
// them, as a dead site has thousands.
type accessLog struct {
	mu     sync.Mutex
	rest   []byte // of a line that is not whole yet
	failed []string
}

// linesMax is how many lines of a process are kept.
const linesMax = 40

// Write takes what a process prints.
func (a *accessLog) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rest = append(a.rest, p...)
	for {
		line, rest, whole := bytes.Cut(a.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if failed(line) {
			a.failed = append(a.failed[max(0, len(a.failed)-linesMax+1):], string(line))
		}
		a.rest = rest
	}
}

// failed reports whether a line is of a request or a flow that did not end well.
func failed(line []byte) bool {
	var entry struct {
		Status int // of a request alone
		Reason string
	}
	if json.Unmarshal(line, &entry) != nil {
		return true // whatever it is, it should be seen
	}
	flow := entry.Status == 0 && (entry.Reason == "client-closed" || entry.Reason == "target-closed")
	return entry.Status >= 500 || entry.Reason != "ok" && !flow
}

// failures are the lines of requests that failed, by process.
func (d *deployment) failures() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.procs)) {
		log := d.procs[name].log
		log.mu.Lock()
		for _, line := range log.failed {
			fmt.Fprintf(&b, "%s: %s\n", name, line)
		}
		log.mu.Unlock()
	}
	return b.String()
}

// TestAccessLog proves that lines are told apart however they come, and that the last
// of those that matter are kept.
func TestAccessLog(t *testing.T) {
	var a accessLog
	for _, part := range []string{`{"status":200,"reason":"ok"}` + "\n" + `{"reason":"target-closed"}` + "\n" + `{"sta`, `tus":502,"reason":"target-closed"}`, "\n" + `{"status":200,"reason":"client-closed"}` + "\n"} {
		if n, err := a.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write(%q) = %d, %v", part, n, err)
		}
	}
	if want := []string{`{"status":502,"reason":"target-closed"}`, `{"status":200,"reason":"client-closed"}`}; !slices.Equal(a.failed, want) {
		t.Errorf("kept %q, want %q", a.failed, want)
	}
	for i := range 2 * linesMax {
		_, _ = fmt.Fprintf(&a, `{"status":503,"wait":%d}`+"\n", i)
	}
	if last := a.failed[len(a.failed)-1]; len(a.failed) != linesMax || !strings.Contains(last, fmt.Sprint(2*linesMax-1)) {
		t.Errorf("kept %d lines to %s, want the last %d", len(a.failed), last, linesMax)
	}
}
