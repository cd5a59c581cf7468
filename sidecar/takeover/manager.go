package takeover

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// A manager is the service manager, if there is one (sd_notify(3)).
type manager struct {
	socket string
	// watchdog is how often it must hear of this process; 0 never.
	watchdog time.Duration
}

func managerOf(getenv func(string) string) manager {
	m := manager{socket: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return m
	}
	if microseconds, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && microseconds > 0 {
		m.watchdog = time.Duration(microseconds) * time.Microsecond
	}
	return m
}

// environment is what a successor should know of the manager.
func (m manager) environment() []string {
	if m.socket == "" {
		return nil
	}
	env := []string{"NOTIFY_SOCKET=" + m.socket}
	if m.watchdog > 0 {
		env = append(env, fmt.Sprintf("WATCHDOG_USEC=%d", m.watchdog.Microseconds()))
	}
	return env
}

func (m manager) tell(what string) error {
	if m.socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(what)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}

// Stopping tells the service manager that this process is about to end, unless
// a successor goes on.
func (p *Process) Stopping() error {
	p.mu.Lock()
	succeeded := p.successor != nil
	p.mu.Unlock()
	if succeeded {
		return nil
	}
	return p.manager.tell("STOPPING=1")
}

// Watch tells the service manager that this process is well, as often as it
// wants to know, as long as check finds so; it returns when ctx ends. The
// manager restarts a process that it has not heard of for too long. Without a
// watchdog it only waits.
func (p *Process) Watch(ctx context.Context, check func(context.Context) error) error {
	if p.manager.watchdog <= 0 {
		<-ctx.Done()
		return nil
	}
	every := p.manager.watchdog / 3
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		p.vouch(ctx, every, check)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *Process) vouch(ctx context.Context, within time.Duration, check func(context.Context) error) {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := check(bounded)
	if err == nil {
		err = p.manager.tell("WATCHDOG=1")
	}
	if err != nil && ctx.Err() == nil {
		p.log.Warn("this process is not well", "error", err)
	}
}
