//go:build !linux

package main

import "syscall"

// childAttributes cannot tie the child's life to its parent's here.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
