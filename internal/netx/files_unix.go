//go:build unix

package netx

import "syscall"

// FilesMax is how many files the process may have open at once, or 0 when that
// is not known. The Go runtime has raised it to the hard limit at start.
func FilesMax() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > filesUnbounded {
		return 0
	}
	return int(limit.Cur)
}

// filesUnbounded is where a limit stops being one.
const filesUnbounded = 1 << 30
