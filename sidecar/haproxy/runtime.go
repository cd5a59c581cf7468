package haproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxLine bounds a line of commands; HAProxy takes what fits its buffer of
// 16 KiB.
const maxLine = 12 << 10

// askTimeout bounds one line of commands and its answers.
const askTimeout = 5 * time.Second

// maxAnswers bounds what is read of one line's answers, in bytes: some twenty
// times what counters of 10,000 servers take. Whatever says more is no HAProxy.
const maxAnswers = 128 << 20

// A runtimeAPI is the socket on which a worker of HAProxy takes commands.
// Each line of them has a connection of its own: one that is kept would keep
// talking to the old worker after a reload.
type runtimeAPI struct{ path string }

// ask sends commands and returns the answer to each, without its last newline.
// Most commands that succeed answer nothing.
func (r runtimeAPI) ask(ctx context.Context, commands ...string) ([]string, error) {
	answers := make([]string, 0, len(commands))
	for len(commands) > 0 {
		n := fitting(commands)
		some, err := r.line(ctx, commands[:n])
		answers = append(answers, some...)
		if err != nil {
			return answers, err
		}
		commands = commands[n:]
	}
	return answers, nil
}

// fitting returns how many commands make one line.
func fitting(commands []string) (n int) {
	for size := 0; n < len(commands); n++ {
		if size += len(commands[n]) + 1; size > maxLine && n > 0 {
			break
		}
	}
	return n
}

func (r runtimeAPI) line(ctx context.Context, commands []string) ([]string, error) {
	conn, err := dialSocket(ctx, r.path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := io.WriteString(conn, strings.Join(commands, ";")+"\n"); err != nil {
		return nil, fmt.Errorf("send to haproxy: %w", err)
	}
	// A master waits for more otherwise.
	if half, ok := conn.(*net.UnixConn); ok {
		_ = half.CloseWrite()
	}
	answers, err := readAnswers(io.LimitReader(conn, maxAnswers))
	if err == nil && len(answers) != len(commands) {
		err = fmt.Errorf("haproxy gave %d answers to %d commands", len(answers), len(commands))
	}
	return answers, err
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connect to haproxy: %w", err)
	}
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to haproxy: %w", err), conn.Close())
	}
	return conn, nil
}

// readAnswers reads to the end. An empty line ends each answer, but for that of
// a deletion: HAProxy 2.6 leaves it out there. So those have to be the last.
func readAnswers(from io.Reader) (answers []string, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	var answer []string
	for lines.Scan() {
		if lines.Text() != "" {
			answer = append(answer, lines.Text())
			continue
		}
		answers = append(answers, strings.Join(answer, "\n"))
		answer = answer[:0]
	}
	if err := lines.Err(); err != nil {
		return answers, fmt.Errorf("read from haproxy: %w", err)
	}
	if len(answer) == 1 && answer[0] == serverDeleted {
		answers = append(answers, serverDeleted)
	}
	return answers, nil
}
