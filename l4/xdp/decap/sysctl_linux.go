package decap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// quiet makes the interface silent about addresses on lo, and lets it take packets
// whose way back is another one. IPv6 needs nothing: there an address is its
// interface's alone.
//
//   - arp_ignore 3: no answer for addresses of scope host, such as VIPs on lo; for
//     all others as before.
//   - arp_announce 2: no question in the name of a VIP, which would be as good as
//     an answer to who hears it.
//   - rp_filter 2: a client is not to be reached by the interface it comes from,
//     only by any.
//
// What the machine does already is left as it is.
func (r *record) quiet(device string) error {
	for _, want := range []struct {
		name string
		is   func(now int) bool
		to   int
	}{
		{"arp_ignore", func(now int) bool { return now > 0 }, 3},
		{"arp_announce", func(now int) bool { return now >= 2 }, 2},
		{"rp_filter", func(now int) bool { return now != 1 }, 2},
	} {
		file := filepath.Join(conf, device, want.name)
		// The kernel goes by the larger of what is set for all interfaces and for one.
		all, err := readNumber(filepath.Join(conf, "all", want.name))
		if err != nil {
			return err
		}
		own, err := readNumber(file)
		if err != nil {
			return err
		}
		if want.is(max(all, own)) {
			continue
		}
		if err := r.set(file, strconv.Itoa(own), strconv.Itoa(want.to)); err != nil {
			return err
		}
	}
	return nil
}

const conf = "/proc/sys/net/ipv4/conf"

func readNumber(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// set changes one sysctl, remembering what it was before anyone of us changed it.
func (r *record) set(file, before, now string) error {
	if s, ours := r.Settings[file]; ours {
		before = s.Before
	}
	r.Settings[file] = setting{before, now}
	if err := r.write(); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(now), 0); err != nil {
		return fmt.Errorf("set to %s: %w", now, err)
	}
	return nil
}

// loud puts the sysctls back that keep does not want changed; what somebody else
// set since stays.
func (r *record) loud(keep func(file string) bool) error {
	var errs []error
	for file, s := range r.Settings {
		if keep(file) {
			continue
		}
		now, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist): // with its interface
		case err != nil:
			errs = append(errs, err)
			continue
		case strings.TrimSpace(string(now)) == s.Now:
			if err := os.WriteFile(file, []byte(s.Before), 0); err != nil {
				errs = append(errs, fmt.Errorf("set back to %s: %w", s.Before, err))
				continue
			}
		}
		delete(r.Settings, file)
	}
	return errors.Join(append(errs, r.write())...)
}

// isOf reports whether a sysctl is one of an interface.
func isOf(file, device string) bool { return filepath.Dir(file) == filepath.Join(conf, device) }
