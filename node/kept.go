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

	"portico/l4/steer"
)

// folder keeps what a later process of the same node must know, one file a name.
type folder string

var _ steer.Keeper = folder("")

// keptMax bounds what is read back: thousands of targets take a tenth of it.
const keptMax = 16 << 20

// keeper is the node's own folder in that of the machine, or nil without one.
func (n *Node) keeper(state string) steer.Keeper {
	if state == "" {
		return nil
	}
	return folder(filepath.Join(state, url.PathEscape(string(n.name))))
}

func (f folder) path(name string) string {
	return filepath.Join(string(f), url.PathEscape(name)+".json")
}

// Load is of steer.Keeper.
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

// Save is of steer.Keeper: the file is replaced whole, and is on the disk when it
// returns.
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
