package acceptance

import "syscall"

// attributes have a process end with the tests, however these end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
