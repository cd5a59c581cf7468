package process

import (
	"os/exec"
	"runtime"
	"sync"
)

// The kernel kills a child when the thread that started it ends, not the
// process, so one thread that never ends starts all of them.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for do := range work {
			do()
		}
	}()
	return work
})

func startChild(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}
