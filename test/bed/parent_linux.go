package bed

import "syscall"

// dieWithParent ends a process when the test that started it is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
