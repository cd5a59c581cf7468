package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// attributes have a process end with the tests, however these end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// queued is how long the threads of a process were ready to run and had to
// wait for a processor, all together (sched-stats, the second number).
func (p *process) queued() (all time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	for _, file := range files {
		var ran, waited time.Duration
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		_, _ = fmt.Sscan(string(text), &ran, &waited)
		all += waited
	}
	return all
}
