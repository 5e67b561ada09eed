//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// loaded is what the loader says of itself.
type loaded struct {
	requests, errors int64
	rate             float64
}

// browser makes the requests look like those of one.
var browser = []string{
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept: text/html,application/xhtml+xml,*/*;q=0.8",
	"Accept-Encoding: gzip, deflate, br",
	"Accept-Language: en-US,en;q=0.5",
	"Cookie: session=0123456789abcdef0123456789abcdef",
}

// load runs the loader once.
func load(ctx context.Context, core, connections int, length time.Duration, url string) (loaded, error) {
	args := []string{"-c", strconv.Itoa(core), "wrk", "-t1", fmt.Sprintf("-c%d", connections), fmt.Sprintf("-d%ds", int(length.Seconds()))}
	for _, h := range browser {
		args = append(args, "-H", h)
	}
	out, err := exec.CommandContext(ctx, "taskset", append(args, url)...).CombinedOutput()
	if err != nil {
		return loaded{}, fmt.Errorf("wrk: %w: %s", err, lastLine(out))
	}
	return readLoaded(out)
}

var (
	requestsRE = regexp.MustCompile(`(\d+) requests in`)
	rateRE     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	socketRE   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	statusRE   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// readLoaded reads what wrk printed.
func readLoaded(out []byte) (loaded, error) {
	var l loaded
	requests, rate := requestsRE.FindSubmatch(out), rateRE.FindSubmatch(out)
	if requests == nil || rate == nil {
		return l, fmt.Errorf("wrk printed %q", out)
	}
	l.requests, _ = strconv.ParseInt(string(requests[1]), 10, 64)
	l.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	for _, re := range []*regexp.Regexp{socketRE, statusRE} {
		for i, n := range re.FindSubmatch(out) {
			if i > 0 {
				count, _ := strconv.ParseInt(string(n), 10, 64)
				l.errors += count
			}
		}
	}
	if l.requests == 0 {
		return l, errors.New("wrk got no answer")
	}
	return l, nil
}
