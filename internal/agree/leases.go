package agree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"portico/spec"
)

// Files holds leases in a folder, a file each. Its clock is CLOCK_BOOTTIME, which is
// alike for all processes of one machine and on no other, so the folder may not be
// shared between machines: it serves nodes of one host, and tests. A lease outlives its
// holder's process, and ends by time alone.
type Files struct {
	dir string
	now func() time.Duration
}

// NewFiles keeps what it holds in that folder, which it makes when it is first needed.
func NewFiles(dir string) *Files { return NewFilesBy(dir, bootTime) }

// NewFilesBy is NewFiles with another clock: for tests, whose time is their own.
func NewFilesBy(dir string, now func() time.Duration) *Files { return &Files{dir: dir, now: now} }

// Now reads the clock of leases.
func (f *Files) Now() time.Duration { return f.now() }

// record is a lease as it is in its file.
type record struct {
	Holder spec.NodeName `json:"holder"`
	Epoch  uint64        `json:"epoch"`
	Until  time.Duration `json:"untilNanoseconds"`
}

// Look returns the lease of a name, also one that has ended.
func (f *Files) Look(ctx context.Context, name string) (got Lease, err error) {
	err = f.change(ctx, name, func(r *record) bool {
		got = Lease(*r)
		return false
	})
	return got, err
}

// Acquire takes the lease of a name, or says who has it.
func (f *Files) Acquire(ctx context.Context, name string, self spec.NodeName, term time.Duration) (Lease, error) {
	now := f.Now() // before the lock, so that waiting for it costs the holder
	var got record
	err := f.change(ctx, name, func(r *record) bool {
		taken := r.Holder != self && r.Until > f.Now()
		if !taken {
			if r.Holder != self {
				r.Epoch++
			}
			r.Holder, r.Until = self, now+term
		}
		got = *r
		return !taken
	})
	return Lease(got), err
}

// Release ends the lease, if it is self's.
func (f *Files) Release(ctx context.Context, name string, self spec.NodeName) error {
	return f.change(ctx, name, func(r *record) bool {
		if r.Holder != self {
			return false
		}
		r.Until = 0
		return true
	})
}

// change reads the record of a name under its lock, and writes it back, whole
// or not at all, when do returns true.
func (f *Files) change(ctx context.Context, name string, do func(*record) bool) error {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return fmt.Errorf("lease of %s: %w", name, err)
	}
	path := filepath.Join(f.dir, url.PathEscape(name)+".json")
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("lease of %s: %w", name, err)
	}
	defer unlock()
	r, err := readRecord(path)
	if err != nil {
		return fmt.Errorf("lease of %s: %w", name, err)
	}
	if r.Until > f.Now()+untilMax {
		r.Until = 0 // of an earlier boot: this clock begins anew
	}
	if !do(&r) {
		return nil
	}
	if err := writeRecord(path, r); err != nil {
		return fmt.Errorf("lease of %s: %w", name, err)
	}
	return nil
}

// recordMax is far above what a record takes.
const recordMax = 4096

func readRecord(path string) (r record, err error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return record{}, nil
	case err != nil:
		return record{}, err
	case len(text) == 0: // power was lost, and with it every lease
		return record{}, nil
	case len(text) > recordMax:
		return record{}, fmt.Errorf("%s has %d bytes, which no lease has", path, len(text))
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// untilMax is longer than any term.
const untilMax = time.Minute

func writeRecord(path string, r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	next := path + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
