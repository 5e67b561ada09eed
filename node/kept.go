package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"portico/internal/agree"
	"portico/l4/steer"
	"portico/spec"
)

// commonFolder is where, in the folder for state, the nodes of a machine agree.
const commonFolder = "portico-leases"

// generations is where l4 nodes agree on them; nil where nothing is kept.
func generations(state string) steer.Store {
	if state == "" {
		return nil
	}
	return agree.NewFiles(filepath.Join(state, commonFolder))
}

// folder keeps what a later process of the same node must know, one file a name.
type folder string

// keptMax bounds what is read back: far above what thousands of VIPs take.
const keptMax = 16 << 20

// folderOf is the node's own folder in that of the machine, or "" without one.
func folderOf(state string, self spec.NodeName) folder {
	if state == "" {
		return ""
	}
	return folder(filepath.Join(state, url.PathEscape(string(self))))
}

func (f folder) path(name string) string {
	return filepath.Join(string(f), url.PathEscape(name)+".json")
}

// Load returns what was kept under a name; ok is false when nothing was.
func (f folder) Load(name string, into any) (ok bool, err error) {
	file, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = file.Close() }()
	if err := json.NewDecoder(io.LimitReader(file, keptMax)).Decode(into); err != nil {
		return false, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return true, nil
}

// Save replaces what is kept under a name, or keeps what was on an error. It is on the
// disk when Save returns.
func (f folder) Save(name string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	next, err := os.CreateTemp(string(f), ".next-*")
	if err != nil {
		return err
	}
	_, err = next.Write(append(text, '\n'))
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.path(name))
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return err
	}
	return f.sync()
}

// sync has the folder itself on the disk, so that a rename is.
func (f folder) sync() error {
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
