//go:build !linux

package bed

import "syscall"

// dieWithParent does nothing where the system cannot: a test ends what it started.
func dieWithParent() *syscall.SysProcAttr { return nil }
