package decap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// record is what was changed on the machine, kept in a file so that the process
// after a killed one knows what is ours. It is written before the change: what it
// lists may not be there, but nothing is ours that it does not list.
type record struct {
	// Boot tells one run of the machine from the next, which forgets all of it.
	Boot string `json:"boot"`
	// VIPs were put on lo.
	VIPs []netip.Addr `json:"vips,omitempty"`
	// Settings are sysctls by file, with what they were and what they are now.
	Settings map[string]setting `json:"settings,omitempty"`

	path    string
	written string // what the file says
}

// setting is one sysctl that was changed.
type setting struct {
	Before string `json:"before"`
	Now    string `json:"now"`
}

// readRecord reads what an earlier process of the node changed. A file that is not
// there, or from before the machine started, says nothing.
func readRecord(path string) (*record, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	now := &record{Boot: strings.TrimSpace(string(boot)), Settings: map[string]setting{}, path: path}
	if path == "" {
		return now, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return now, nil
	}
	if err != nil {
		return nil, err
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: what is changed on the machine: %w", path, err)
	}
	if r.Boot != now.Boot {
		return now, nil
	}
	r.path, r.written = path, string(text)
	if r.Settings == nil {
		r.Settings = map[string]setting{}
	}
	return &r, nil
}

// write replaces the file whole, when it says something else; with nothing to say
// it goes. Without a path there is none.
func (r *record) write() error {
	if r.path == "" {
		return nil
	}
	if len(r.VIPs) == 0 && len(r.Settings) == 0 {
		if err := os.Remove(r.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil || string(text) == r.written {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return err
	}
	next := r.path + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	r.written = string(text)
	return os.Rename(next, r.path)
}
