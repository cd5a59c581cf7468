package acceptance

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A clock is the wall clock of one process, which a test sets while the process
// runs, as an administrator or a bad time server would. The program is the
// product's own: the kernel maps a function into every process that tells the
// time without a system call, and this one's copy of that is replaced by the
// system call and an addition. Its monotonic clock goes on, as it does when the
// clock of a machine is set.
type clock struct {
	process *process
	// url is where the process answers, with the date.
	url string
	// at is the address of what tellTime adds.
	at int64
}

// tellTime is clock_gettime(2), for a wall clock that is 0 seconds ahead.
var tellTime = []byte{
	0xb8, 0xe4, 0x00, 0x00, 0x00, // mov eax, SYS_clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi: zero is CLOCK_REALTIME
	0x75, 0x07, // jnz to the return
	0x48, 0x81, 0x06, 0x00, 0x00, 0x00, 0x00, // add qword ptr [rsi], 0
	0xc3, // ret
}

// addedAt is where in tellTime the number of seconds is.
const addedAt = 14

// wallClock takes the clock of a process over, which answers at a URL.
func wallClock(t *testing.T, p *process, url string) *clock {
	t.Helper()
	function, size, err := p.timeTeller()
	if err != nil {
		t.Fatalf("the clock of %s: %v", p.name, err)
	}
	c := &clock{process: p, url: url, at: function + addedAt}
	if err := p.patch(function, tellTime, size); err != nil {
		t.Fatalf("the clock of %s: %v", p.name, err)
	}
	return c
}

// set has the clock tell a time that is so far ahead of the machine's.
func (c *clock) set(t *testing.T, ahead time.Duration) {
	t.Helper()
	added := binary.LittleEndian.AppendUint32(nil, uint32(int32(ahead/time.Second)))
	if err := c.process.patch(c.at, added, 0); err != nil {
		t.Fatalf("set the clock of %s: %v", c.process.name, err)
	}
	told, err := c.read()
	if off := told.Sub(time.Now().Add(ahead)); err != nil || off.Abs() > time.Minute {
		t.Fatalf("the clock of %s is off by %s: %v", c.process.name, off, err)
	}
}

// read asks the process for the date.
func (c *clock) read() (time.Time, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Head(c.url)
	if err != nil {
		return time.Time{}, err
	}
	_ = resp.Body.Close()
	return http.ParseTime(resp.Header.Get("Date"))
}

// timeTeller finds the kernel's function in a process.
func (p *process) timeTeller() (at, size int64, err error) {
	first, last, err := p.mapping("[vdso]")
	if err != nil {
		return 0, 0, err
	}
	image := make([]byte, last-first)
	if err := p.memory(os.O_RDONLY, func(m *os.File) error { _, err := m.ReadAt(image, first); return err }); err != nil {
		return 0, 0, err
	}
	library, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, 0, err
	}
	symbols, err := library.DynamicSymbols()
	if err != nil {
		return 0, 0, err
	}
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" && s.Size >= uint64(len(tellTime)) {
			return first + int64(s.Value), int64(s.Size), nil
		}
	}
	return 0, 0, errors.New("no clock_gettime in its vDSO that could be replaced")
}

// mapping returns where the kernel has mapped something.
func (p *process) mapping(name string) (first, last int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(strings.TrimSpace(line), name) {
			_, err := fmt.Sscanf(line, "%x-%x", &first, &last)
			return first, last, err
		}
	}
	return 0, 0, fmt.Errorf("no %s is mapped", name)
}

func (p *process) memory(how int, use func(*os.File) error) error {
	m, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.cmd.Process.Pid), how, 0)
	if err != nil {
		return err
	}
	return errors.Join(use(m), m.Close())
}

// patch writes into a process while it is stopped and no thread of it is about
// to run what was there: the following so many bytes.
func (p *process) patch(at int64, code []byte, busy int64) error {
	for range 100 {
		free, err := p.whileStopped(func() (bool, error) {
			if p.runsIn(at, at+busy) {
				return false, nil
			}
			return true, p.memory(os.O_WRONLY, func(m *os.File) error { _, err := m.WriteAt(code, at); return err })
		})
		if free || err != nil {
			return err
		}
	}
	return errors.New("a thread is always asking for the time")
}

// whileStopped stops a process for a moment.
func (p *process) whileStopped(do func() (bool, error)) (bool, error) {
	p.signal(syscall.SIGSTOP)
	defer p.signal(syscall.SIGCONT)
	limit := time.Now().Add(patience)
	for !p.isStopped() {
		if time.Now().After(limit) {
			return false, errors.New("it does not stop")
		}
	}
	return do()
}

// isStopped tells whether every thread is (proc_pid_stat: the state follows the
// name, which ends with the last parenthesis).
func (p *process) isStopped() bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		if _, state, ok := strings.Cut(string(text[bytes.LastIndexByte(text, ')'):]), ") "); !ok || state[0] != 'T' {
			return false
		}
	}
	return len(files) > 0
}

// runsIn tells whether a thread's next instruction is in a range
// (proc_pid_syscall: the last word).
func (p *process) runsIn(from, to int64) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", p.cmd.Process.Pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		words := strings.Fields(string(text))
		if len(words) == 0 {
			continue
		}
		next, err := strconv.ParseInt(strings.TrimPrefix(words[len(words)-1], "0x"), 16, 64)
		if err == nil && next > from && next < to {
			return true
		}
	}
	return false
}
