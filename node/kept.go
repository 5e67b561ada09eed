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
	"strings"
	"time"

	"portico/internal/clock"
	"portico/l4/steer"
	"portico/spec"
)

// folder keeps what a later process of the same node must know, one file a name, where
// other nodes of the machine read it. Each node has a folder of its own in it.
type folder struct {
	path string
	self spec.NodeName
}

var _ steer.Keeper = folder{}

// keptMax bounds what is read back: thousands of targets take a tenth of it.
const keptMax = 16 << 20

// keeper is the folder of the machine, or nil without one.
func (n *Node) keeper(state string) steer.Keeper {
	if state == "" {
		return nil
	}
	return folder{state, n.name}
}

// of is a node's own folder.
func (f folder) of(node spec.NodeName) string {
	return filepath.Join(f.path, url.PathEscape(string(node)))
}

func (f folder) file(node spec.NodeName, name string) string {
	return filepath.Join(f.of(node), url.PathEscape(name)+".json")
}

// seen is the file whose time of change says when a node last ran.
func (f folder) seen(node spec.NodeName) string { return filepath.Join(f.of(node), "seen") }

// Load is of steer.Keeper.
func (f folder) Load(of spec.NodeName, name string, has time.Time, into any) (at time.Time, err error) {
	path := f.file(of, name)
	if info, err := os.Stat(path); err == nil && info.ModTime().Equal(has) {
		return has, nil // it is not even opened: others look at each each second
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return has, err
	}
	if err := json.NewDecoder(io.LimitReader(file, keptMax)).Decode(into); err != nil {
		return info.ModTime(), fmt.Errorf("%s: %w", file.Name(), err)
	}
	return info.ModTime(), nil
}

// Here is of steer.Keeper.
func (f folder) Here() error {
	now := clock.Now()
	err := os.Chtimes(f.seen(f.self), now, now)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(f.of(f.self), 0o700); err != nil {
		return err
	}
	return os.WriteFile(f.seen(f.self), nil, 0o600)
}

// Seen is of steer.Keeper.
func (f folder) Seen(node spec.NodeName) time.Time {
	info, err := os.Stat(f.seen(node))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Save is of steer.Keeper: the file is replaced whole, and is on the disk when it
// returns. It is given the time to the nanosecond, as that is what others tell a new one
// by: what the kernel gives it is the same for some milliseconds.
func (f folder) Save(name string, what any) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	own := f.of(f.self)
	if err := os.MkdirAll(own, 0o700); err != nil {
		return err
	}
	sweep(own)
	next, err := os.CreateTemp(own, unfinished+"*")
	if err != nil {
		return err
	}
	_, err = next.Write(append(text, '\n'))
	now := clock.Now()
	err = errors.Join(err, os.Chtimes(next.Name(), now, now), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.file(f.self, name))
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return err
	}
	return syncFolder(own)
}

// unfinished is how the names of files begin that are not yet whole.
const unfinished = ".next-"

// sweep removes what processes left that were killed while they saved. Another that
// saves at this moment, in a handover, is let be.
func sweep(own string) {
	list, err := os.ReadDir(own)
	if err != nil {
		return
	}
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), unfinished) {
			continue
		}
		if info, err := e.Info(); err == nil && clock.Now().Sub(info.ModTime()) > time.Hour {
			_ = os.Remove(filepath.Join(own, e.Name()))
		}
	}
}

// syncFolder has a folder itself on the disk, so that a rename in it is.
func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
