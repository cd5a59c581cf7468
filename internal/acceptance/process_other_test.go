//go:build !linux

package acceptance

import (
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return nil }

func (p *process) queued() time.Duration { return 0 }
