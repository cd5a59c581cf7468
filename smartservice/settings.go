package smartservice

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/registry/settings"
)

// An Origin says where the value of a setting comes from.
type Origin string

// Origins, the strongest first. Where none of them has a value, the author's
// default counts.
const (
	// FromFlag is -set NAME=VALUE.
	FromFlag Origin = "flag"
	// FromEnvironment is the environment variable of the same name, unless it
	// is empty.
	FromEnvironment Origin = "environment"
	// FromRegistry is what `fairlead settings set` has set for the service.
	FromRegistry Origin = "registry"
)

var origins = []Origin{FromFlag, FromEnvironment, FromRegistry}

// Settings are values by name that an operator may change while the service
// runs: read them where they are used, each time, for it costs little more than
// a map. Names are like environment variables'. The methods may be called
// concurrently.
//
// The registry's values are there soon after the start, which does not wait
// for them; see [Settings.Loaded]. They go on to count while the registry is
// away. A value that does not parse is logged once and does not count.
type Settings struct {
	given  map[string]string // by flags, before the start
	getenv func(string) string
	log    atomic.Pointer[slog.Logger]
	keeper atomic.Pointer[settings.Keeper]
	opened chan struct{} // closed once keeper is there

	mu         sync.Mutex
	listeners  map[*func([]string)]struct{}
	complaints map[string]string // value complained of, by name and origin
}

func newSettings(getenv func(string) string, log *slog.Logger) *Settings {
	s := &Settings{
		given: map[string]string{}, getenv: getenv, opened: make(chan struct{}),
		listeners: map[*func([]string)]struct{}{}, complaints: map[string]string{},
	}
	s.log.Store(log)
	return s
}

// give takes the argument of -set.
func (s *Settings) give(argument string) error {
	name, value, found := strings.Cut(argument, "=")
	if !found {
		return fmt.Errorf("must be NAME=VALUE, got %.80q", argument)
	}
	if err := (registry.Setting{Name: name, Value: value}).Validate(); err != nil {
		return err
	}
	s.given[name] = value
	return nil
}

// Lookup returns the value that counts, and where it comes from.
func (s *Settings) Lookup(name string) (value string, from Origin, ok bool) {
	for _, from := range origins {
		if value, ok := s.lookup(name, from); ok {
			return value, from, true
		}
	}
	return "", "", false
}

func (s *Settings) lookup(name string, from Origin) (value string, ok bool) {
	switch from {
	case FromFlag:
		value, ok = s.given[name]
		return value, ok
	case FromEnvironment:
		value = s.getenv(name)
		return value, value != ""
	}
	if keeper := s.keeper.Load(); keeper != nil {
		return keeper.Values().Lookup(name)
	}
	return "", false
}

// String returns the value of a setting, or the author's default.
func (s *Settings) String(name, fallback string) string {
	return parsed(s, name, fallback, "text", func(v string) (string, error) { return v, nil })
}

// Int returns a whole number.
func (s *Settings) Int(name string, fallback int) int {
	return parsed(s, name, fallback, "a whole number", strconv.Atoi)
}

// Float returns a number.
func (s *Settings) Float(name string, fallback float64) float64 {
	return parsed(s, name, fallback, "a number", func(v string) (float64, error) { return strconv.ParseFloat(v, 64) })
}

// Bool returns true for 1, t and true, and false for 0, f and false.
func (s *Settings) Bool(name string, fallback bool) bool {
	return parsed(s, name, fallback, "true or false", strconv.ParseBool)
}

// Duration returns a duration such as 1m30s.
func (s *Settings) Duration(name string, fallback time.Duration) time.Duration {
	return parsed(s, name, fallback, "a duration such as 1s or 500ms", time.ParseDuration)
}

// parsed returns the first value that can be read.
func parsed[T any](s *Settings, name string, fallback T, want string, parse func(string) (T, error)) T {
	for _, from := range origins {
		text, ok := s.lookup(name, from)
		if !ok {
			continue
		}
		value, err := parse(text)
		if err == nil {
			return value
		}
		s.complain(name, from, text, want)
	}
	return fallback
}

// complain logs what is wrong with a value, once.
func (s *Settings) complain(name string, from Origin, text, want string) {
	about := string(from) + " " + name
	s.mu.Lock()
	told, again := s.complaints[about]
	s.complaints[about] = text
	s.mu.Unlock()
	if !again || told != text {
		s.log.Load().Warn("setting does not count", "name", name, "from", string(from), "problem", fmt.Sprintf("must be %s, got %.40q", want, text))
	}
}

// Loaded waits until the registry's values were read once, which serving does
// not wait for. Bound it: the registry may be away.
func (s *Settings) Loaded(ctx context.Context) error {
	select {
	case <-s.opened:
		return s.keeper.Load().Loaded(ctx)
	case <-ctx.Done():
		return fmt.Errorf("service has not started: %w", ctx.Err())
	}
}

// OnChange has fn called with the names of which the registry has other values
// than before; the first reading is a change too. What a flag or the
// environment decides is left out. Calls come one at a time, from a goroutine
// that ends with the service; fn must not stop the service, and changes wait
// while it runs. remove takes it off again, and may be called by fn.
func (s *Settings) OnChange(fn func(names []string)) (remove func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[&fn] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, &fn)
	}
}

// changed is called by the keeper.
func (s *Settings) changed(names []string) {
	var decided []string
	for _, name := range names {
		if _, from, ok := s.Lookup(name); !ok || from == FromRegistry {
			decided = append(decided, name)
		}
	}
	if len(decided) == 0 {
		return
	}
	for _, fn := range s.everyListener() {
		fn(decided)
	}
}

func (s *Settings) everyListener() []func([]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]func([]string), 0, len(s.listeners))
	for fn := range s.listeners {
		all = append(all, *fn)
	}
	return all
}

// follow begins to follow the registry's values, and returns what ends it.
func (s *Settings) follow(way session, key registry.ServiceKey, log *slog.Logger) (stop func(context.Context) error) {
	keeper := settings.New(settings.Options{
		Source: way.Settings(), OnConnect: way.OnConnect, Key: key, Changed: s.changed, Logger: log,
	})
	s.log.Store(log)
	s.keeper.Store(keeper)
	close(s.opened)
	keeper.Start()
	return func(ctx context.Context) error { return waitFor(ctx, keeper.Close) }
}
