package main

import "syscall"

// childAttributes have the kernel kill the child when its parent is gone: a
// program that serves on must not go unregistered.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
