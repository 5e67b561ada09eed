package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"portico/client"
)

// watchEvery is how often files are looked at, and settleEvery how soon again when
// they changed. Looking costs one stat a file, and waking the process much more.
const (
	watchEvery  = time.Second
	settleEvery = 250 * time.Millisecond
)

// watch applies the spec again when a file of it changes, or on a signal. A spec
// that cannot be applied is logged and the one before goes on serving.
//
// A change is read when two looks in a row see the same, so that a file that is
// being written is not read by half; a signal does not wait for that.
func (h *host) watch(ctx context.Context, hangup <-chan os.Signal) {
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	last := h.seen
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			forced = true
		case <-timer.C:
		}
		now := look(h.from, h.files)
		settled := maps.Equal(now, last)
		last = now
		if forced || settled && !maps.Equal(now, h.seen) {
			h.reload(now)
			last = h.seen
		}
		if settled || forced {
			timer.Reset(watchEvery)
		} else {
			timer.Reset(settleEvery)
		}
	}
}

// reload reads and applies the spec of the source, whose files looked like seen.
func (h *host) reload(seen fingerprint) {
	h.seen = seen
	sources, err := h.from.read()
	if err == nil {
		report, refused := h.load(sources)
		// A spec that failed may need one of its files to be mended, not itself.
		h.depend(report.Files())
		err = refused
	}
	if err == nil {
		return
	}
	h.log.Error("spec not applied; the one before goes on serving", "error", err)
	if refused, ok := err.(*client.Error); ok && refused.Text != "" { //nolint:errorlint // load returns it unwrapped
		_, _ = fmt.Fprint(h.errs.Err, refused.Text)
	}
}

// depend watches the files that were read for a spec from now on. Those that
// were looked at before it was read stay seen as they were then, and one that
// came meanwhile stays unseen, so that the next look notices.
func (h *host) depend(files []string) {
	now := look(h.from, files)
	for name := range now {
		if before, ok := h.seen[name]; ok {
			now[name] = before
		} else if !slices.Contains(files, name) {
			delete(now, name)
		}
	}
	h.files, h.seen = files, now
}

// fingerprint is how files look, by name. It changes when one of them does.
type fingerprint map[string]string

// look looks at the files of the source and at others that its spec depends on.
func look(from source, others []string) fingerprint {
	f := fingerprint{}
	if from.list != nil {
		others = append(from.list(), others...)
	}
	for _, name := range others {
		info, err := os.Stat(name)
		if err != nil {
			f[name] = "gone"
			continue
		}
		f[name] = fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
	}
	return f
}
