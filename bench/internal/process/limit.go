package process

import (
	"fmt"
	"syscall"
)

// NeedFiles raises the limit of open files, which children inherit. The error
// says what to do if that is not allowed.
func NeedFiles(least uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if limit.Cur < least {
		limit.Cur, limit.Max = least, max(limit.Max, least)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("the limit of open files has to be %d: raise it with `ulimit -n %d`: %w", least, least, err)
		}
	}
	return nil
}
