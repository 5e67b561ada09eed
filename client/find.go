package client

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
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

// Find lists the sockets of the processes of this user, by name.
func Find() ([]string, error) {
	sockets, err := filepath.Glob(filepath.Join(SocketDir(), "*.sock"))
	sort.Strings(sockets)
	return sockets, err
}
