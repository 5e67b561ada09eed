//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"portico/bench/rig"
)

// loader asks for as long as it is told, and says how it went.
type loader func(ctx context.Context, j job) (loaded, error)

// job is what a loader is to do.
type job struct {
	at                   rig.Seat // of the loader
	ask                  ask
	address, cookie      string
	connections, streams int
	routes               int
	length               time.Duration
}

// loaded is what a loader says of itself. A unit is what a figure is per: a
// request or, of handshakes, a connection.
type loaded struct {
	units, errors int64
	rate          float64
}

// browser makes the requests look like those of one.
var browser = []string{
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept: text/html,application/xhtml+xml,*/*;q=0.8",
	"Accept-Encoding: gzip, deflate, br",
	"Accept-Language: en-US,en;q=0.5",
}

// headers are the lines a job's requests bring.
func (j job) headers() []string {
	cookie := "Cookie: session=0123456789abcdef0123456789abcdef"
	if j.cookie != "" {
		cookie += "; " + j.cookie
	}
	return append(slices.Clip(browser), cookie)
}

// run runs the loader's program.
func (j job) run(ctx context.Context, args ...string) ([]byte, error) {
	var out bytes.Buffer
	cmd := j.at.Command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := j.at.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(args[0]), err, rig.LastLine(out.Bytes()))
	}
	return out.Bytes(), nil
}

func (j job) seconds() string { return strconv.Itoa(int(j.length.Seconds())) }

// wrk asks over HTTP/1.1.
func wrk(ctx context.Context, j job) (loaded, error) {
	args := []string{"wrk", "-t1", "-c" + strconv.Itoa(j.connections), "-d" + j.seconds() + "s"}
	for _, h := range j.headers() {
		args = append(args, "-H", h)
	}
	if j.routes > 0 {
		args = append(args, "-s", filepath.Join(folder, "routes.lua"))
	}
	args = append(args, j.ask.url(j.address))
	if j.routes > 0 {
		args = append(args, "--", strconv.Itoa(j.routes))
	}
	out, err := j.run(ctx, args...)
	if err != nil {
		return loaded{}, err
	}
	return readWrk(out, j.ask.size)
}

// h2load asks over HTTP/2.
func h2load(ctx context.Context, j job) (loaded, error) {
	args := []string{"h2load", "-t1", "-c", strconv.Itoa(j.connections), "-m", strconv.Itoa(j.streams), "-D", j.seconds()}
	for _, h := range j.headers() {
		args = append(args, "-H", h)
	}
	out, err := j.run(ctx, append(args, j.ask.url(j.address))...)
	if err != nil {
		return loaded{}, err
	}
	return readH2load(out, j.ask.size)
}

var (
	wrkRequestsRE = regexp.MustCompile(`(\d+) requests in [^,]+, ([\d.]+)(B|KB|MB|GB|TB) read`)
	wrkRateRE     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkSocketRE   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatusRE   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// unitsOf are those that wrk writes sizes with.
var unitsOf = map[string]float64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}

// readWrk reads what wrk printed, and checks that the bodies had their size.
func readWrk(out []byte, size int) (loaded, error) {
	var l loaded
	requests, rate := wrkRequestsRE.FindSubmatch(out), wrkRateRE.FindSubmatch(out)
	if requests == nil || rate == nil {
		return l, fmt.Errorf("wrk printed %q", out)
	}
	l.units, _ = strconv.ParseInt(string(requests[1]), 10, 64)
	l.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	for _, re := range []*regexp.Regexp{wrkSocketRE, wrkStatusRE} {
		for i, n := range re.FindSubmatch(out) {
			if i > 0 {
				count, _ := strconv.ParseInt(string(n), 10, 64)
				l.errors += count
			}
		}
	}
	read, _ := strconv.ParseFloat(string(requests[2]), 64)
	return l, l.plausible("wrk", read*unitsOf[string(requests[3])], size)
}

var (
	h2loadRequestsRE = regexp.MustCompile(`requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`)
	h2loadRateRE     = regexp.MustCompile(`finished in \S+, ([\d.]+) req/s`)
	h2loadStatusRE   = regexp.MustCompile(`status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	h2loadBodyRE     = regexp.MustCompile(`\((\d+)\) data`)
)

// readH2load reads what h2load printed, and checks that the bodies had their size.
func readH2load(out []byte, size int) (loaded, error) {
	var l loaded
	requests, rate := h2loadRequestsRE.FindSubmatch(out), h2loadRateRE.FindSubmatch(out)
	statuses, body := h2loadStatusRE.FindSubmatch(out), h2loadBodyRE.FindSubmatch(out)
	if requests == nil || rate == nil || statuses == nil || body == nil {
		return l, fmt.Errorf("h2load printed %q", out)
	}
	l.units, _ = strconv.ParseInt(string(requests[1]), 10, 64)
	l.rate, _ = strconv.ParseFloat(string(rate[1]), 64)
	// What errored is among what failed.
	for _, n := range [][]byte{requests[2], statuses[1], statuses[2], statuses[3]} {
		count, _ := strconv.ParseInt(string(n), 10, 64)
		l.errors += count
	}
	read, _ := strconv.ParseFloat(string(body[1]), 64)
	return l, l.plausible("h2load", read, size)
}

// plausible reports why what was read cannot be so many answers. The loaders round,
// and count answers that they did not wait for the end of.
func (l loaded) plausible(who string, read float64, size int) error {
	switch {
	case l.units == 0:
		return errors.New(who + " got no answer")
	case l.errors == 0 && read < 0.99*float64(l.units)*float64(size):
		return fmt.Errorf("%s read %.0f bytes in %d answers of %d", who, read, l.units, size)
	}
	return nil
}
