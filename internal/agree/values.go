package agree

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// ErrChanged says that a value is not the one that the caller has seen.
var ErrChanged = errors.New("another was there first")

// valueMax bounds what is read: 4096 targets of two generations take a tenth of it.
const valueMax = 16 << 20

// Read returns the value of a name and its revision, which no two values of it share.
// It returns no value where that is the revision that the caller has. The revision of
// what nobody has written, or is not whole, is 0.
func (f *Files) Read(name string, has uint64) (value []byte, revision uint64, err error) {
	file, err := os.Open(f.path(name, ".value"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = file.Close() }()
	text := bufio.NewReaderSize(io.LimitReader(file, valueMax), 512)
	line, err := text.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	revision, err = strconv.ParseUint(strings.TrimSpace(line), 10, 64)
	if err != nil {
		return nil, 0, nil
	}
	if revision == has {
		return nil, revision, nil
	}
	value, err = io.ReadAll(text)
	return value, revision, err
}

// Swap puts a value in the place of the one that has the revision that the caller
// has seen, and is the only one to: others get ErrChanged. It is on the disk when
// Swap returns.
func (f *Files) Swap(ctx context.Context, name string, has uint64, value []byte) (revision uint64, err error) {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return 0, err
	}
	path := f.path(name, ".value")
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return 0, fmt.Errorf("lock of %s: %w", path, err)
	}
	defer unlock()
	switch _, is, err := f.Read(name, has); {
	case err != nil:
		return 0, err
	case is != has:
		return 0, ErrChanged
	}
	// By the clock, so that a folder that is lost does not begin with revisions that
	// others have seen.
	revision = max(has+1, uint64(f.now()))
	return revision, replace(path, fmt.Appendf(nil, "%d\n%s", revision, value), true)
}
