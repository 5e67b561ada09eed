package agree

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
)

// path is the file that has a name's lease or value.
func (f *Files) path(name, kind string) string {
	return filepath.Join(f.dir, url.PathEscape(name)+kind)
}

// replace puts a text in a file's place, whole or not at all. The caller holds the lock
// of the file.
func replace(path string, text []byte) error {
	next, err := os.OpenFile(path+".next", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = next.Write(text)
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
