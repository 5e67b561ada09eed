package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"
)

// SocketDir is the folder in which processes of this user put their sockets and
// the command line finds them: /run/portico for root, $XDG_RUNTIME_DIR/portico
// for others, and a folder of the user's own in the temporary folder otherwise.
// PORTICO_SOCKETS overrides it.
func SocketDir() string {
	if dir := os.Getenv("PORTICO_SOCKETS"); dir != "" {
		return dir
	}
	if os.Getuid() == 0 {
		return "/run/portico"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "portico")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("portico-%d", os.Getuid()))
}

// Find lists the sockets of the processes of this user, by name. A folder that
// somebody else owns is an error: whoever made it could answer in our name.
func Find() ([]string, error) {
	if err := Own(SocketDir()); err != nil {
		return nil, err
	}
	sockets, err := filepath.Glob(filepath.Join(SocketDir(), "*.sock"))
	sort.Strings(sockets)
	return sockets, err
}

// Own returns an error when the folder is there and belongs to neither this user
// nor root.
func Own(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if ok && owner.Uid != 0 && int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("the folder %s of control sockets belongs to user %d, not to you; set PORTICO_SOCKETS to a folder of your own", dir, owner.Uid)
	}
	return nil
}
