// Package memlimit is how much memory a process may use.
//
// It asks Go's runtime and the control group, and sets nothing. Start reading at Of.
package memlimit

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// Of is how many bytes this process may use: GOMEMLIMIT, or else what its control group
// may; 0 where nothing says.
func Of() int64 {
	if n := debug.SetMemoryLimit(-1); n != math.MaxInt64 {
		return n
	}
	return group(os.DirFS("/"))
}

// group is the least that the control groups of a process may use, of either version;
// those above bound those within.
func group(root fs.FS) int64 {
	lines, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0 // not Linux
	}
	least := int64(0)
	for line := range strings.Lines(string(lines)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		base, file := "sys/fs/cgroup", "memory.max"
		switch parts[1] {
		case "":
		case "memory":
			base, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			if n := read(root, base+path.Join("/", at, file)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}

// none is from how many bytes on a limit of the first version is none.
const none = math.MaxInt64 / 2

// read is a limit in a file; 0 where it is none.
func read(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= none {
		return 0 // "max"
	}
	return n
}
