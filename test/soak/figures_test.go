package soak

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// figures are the metrics of a process: name and labels as /metrics writes them.
type figures map[string]float64

// scrape asks a process for its metrics.
func scrape(address string) (figures, error) {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	f := figures{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", line, err)
		}
		f[line[:at]] = value
	}
	return f, nil
}

// sum adds all series of a metric whose labels hold each of the given ones, such
// as listener="calm".
func (f figures) sum(name string, labels ...string) (total float64) {
series:
	for series, value := range f {
		n, rest, _ := strings.Cut(series, "{")
		if n != name {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(rest, l) {
				continue series
			}
		}
		total += value
	}
	return total
}

// lines counts an access log while it is written, so that ten minutes of it need
// no memory.
type lines struct {
	mu     sync.Mutex
	rest   []byte           // of a line that is not whole; guarded by mu
	counts map[string]int64 // by listener; guarded by mu
	bad    []string         // lines that are no JSON; guarded by mu
}

// Write takes a piece of the log.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		var e struct{ Listener string }
		if err := json.Unmarshal(line, &e); err != nil && len(l.bad) < 10 {
			l.bad = append(l.bad, string(line))
		}
		l.counts[e.Listener]++
		l.rest = append(l.rest[:0], rest...)
	}
}

func (l *lines) count(listener string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[listener]
}
