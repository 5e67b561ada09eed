//go:build linux

package lab

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// results are the lines of this run.
var results table

// table is what all drills came to.
type table struct {
	mu   sync.Mutex
	rows []*row // guarded by mu; in order of the drills, whichever ends first
}

// row is what one arm of a drill came to.
type row struct {
	drill string
	arm   arm
	saw   tally // zero until it has ended
	note  string
}

// row makes the line of an arm that is about to run.
func (t *table) row(drill string, a arm) *row {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &row{drill: drill, arm: a}
	t.rows = append(t.rows, r)
	return r
}

// promise is what must be so of an arm.
type promise int

const (
	reported  promise = iota // whatever happens is only told
	unbroken                 // no transfer breaks
	unnoticed                // neither that, nor does a short request fail
	harmed                   // the control: something breaks or fails
	brief                    // no transfer breaks, none pauses for longer than pauseMax
	long                     // the control of that: one does
)

// pauseMax is half of the routers' hold time: well above what anyone pauses where BFD
// notices a loss, below what they do where only the hold time does.
const pauseMax = 4500 * time.Millisecond

// keep fails the test where what clients saw is not what was promised.
func (w *world) keep(p promise, saw tally) {
	w.t.Helper()
	w.t.Logf("%d transfers begun, %d broken; %d requests went well, %d failed; longest pause %s; %v", saw.Begun, saw.Broken, saw.OK, saw.Failed, seconds(saw.Pause), saw.Reasons)
	switch {
	case p == harmed && saw.Broken+saw.Failed == 0:
		w.t.Error("nothing broke without the mechanism: the drill proves nothing")
	case (p == unbroken || p == unnoticed || p == brief) && saw.Broken > w.lost:
		w.t.Errorf("%d of %d established connections broke; want at most %d", saw.Broken, saw.Begun, w.lost)
	case p == brief && saw.Pause > pauseMax:
		w.t.Errorf("a transfer paused for %s; want at most %s", seconds(saw.Pause), seconds(pauseMax))
	case p == long && saw.Pause <= pauseMax:
		w.t.Errorf("no transfer paused for longer than %s without the mechanism: the drill proves nothing", seconds(saw.Pause))
	case p == unnoticed && saw.Failed > 0:
		w.t.Errorf("%d requests failed", saw.Failed)
	}
	if saw.OK == 0 {
		w.t.Error("no request went well")
	}
}

// heading is the first lines of the table.
const heading = `| drill | arm | mode | connections | broken | requests | failed | longest pause | slowest request | |
|---|---|---|---|---|---|---|---|---|---|
`

// page is where the table is for people; LAB=write writes it.
const page = "../../docs/reference/lab.md"

// publish prints the table, and puts it into the page where that is asked for.
func (t *table) publish(to io.Writer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString(heading)
	for _, r := range t.rows {
		if r.saw.OK == 0 {
			continue // it did not come so far
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %d | %d | %d | %d | %s | %s | %s |\n", r.drill, r.arm.name, r.arm.mode,
			r.saw.Begun, r.saw.Broken, r.saw.OK+r.saw.Failed, r.saw.Failed, seconds(r.saw.Pause), seconds(r.saw.Slowest), r.note)
	}
	_, _ = io.WriteString(to, text.String())
	if os.Getenv("LAB") != "write" {
		return nil
	}
	return write(page, text.String())
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// write replaces the table of a page.
func write(path, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), heading)
	if !found {
		return fmt.Errorf("%s has no table of drills", path)
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	return os.WriteFile(path, []byte(before+table+"\n"+after), 0o644)
}

// TestTable proves that the page has a table where publish puts it.
func TestTable(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), heading) {
		t.Errorf("%s has no table that begins with\n%s", page, heading)
	}
}
