package smartservice

import (
	"cmp"
	"flag"
	"fmt"
	"net"
	"strconv"
	"time"

	"fairlead.dev/registry"
)

// A knob is one option that an operator may change from outside.
type knob struct {
	flag, env, usage string
	place
}

// A place is where an option is kept, and how it is written as text.
type place struct {
	set func(*Options, string) error
	// get returns the empty text where there is nothing to tell of.
	get func(Options) string
}

// knobs lists them in the order in which they are applied. PORT, which many
// environments set for reasons of their own, gives way to everything that is
// said to this platform; FAIRLEAD_PORT replaces the port of FAIRLEAD_ADDR.
func knobs() []knob {
	port := place{setPort, func(Options) string { return "" }} // the address tells it
	return []knob{
		{"realm", "FAIRLEAD_REALM", "`realm` to live in", text(func(o *Options) *string { return &o.Realm })},
		{"nats-url", "FAIRLEAD_NATS_URL", "`URL` of the bus; without it, that on this machine", text(func(o *Options) *string { return &o.NATSURL })},
		{"", "PORT", "", port},
		{"addr", "FAIRLEAD_ADDR", "`host:port` to listen on; port 0 picks one", text(func(o *Options) *string { return &o.Addr })},
		{"port", "FAIRLEAD_PORT", "`port` to listen on, in place of the one in the address", port},
		{"advertise", "FAIRLEAD_ADVERTISE", "`host` or host:port that others reach the service by; without it, where it listens", text(func(o *Options) *string { return &o.Advertise })},
		{"instance", "FAIRLEAD_INSTANCE", "`id` of this copy, a DNS label; without it, the host's name and the port", text(func(o *Options) *string { return &o.Instance })},
		{"version", "FAIRLEAD_VERSION", "`version` of the program", text(func(o *Options) *string { return &o.Version })},
		{"zone", "FAIRLEAD_ZONE", "`zone` the instance stands in", text(func(o *Options) *string { return &o.Zone })},
		{"weight", "FAIRLEAD_WEIGHT", "`share` of requests, 1 to 1000", place{setWeight, func(o Options) string { return strconv.Itoa(o.Weight) }}},
		{"drain-delay", "FAIRLEAD_DRAIN_DELAY", "`time` to serve on after the word that it drains", duration(func(o *Options) *time.Duration { return &o.DrainDelay })},
		{"shutdown-timeout", "FAIRLEAD_SHUTDOWN_TIMEOUT", "`time` to wait for requests in flight", duration(func(o *Options) *time.Duration { return &o.ShutdownTimeout })},
		{"log-format", "FAIRLEAD_LOG_FORMAT", "`form` of the log, json or text; without it, text on a terminal and else json", text(func(o *Options) *string { return &o.logFormat })},
		{"log-level", "FAIRLEAD_LOG_LEVEL", "`level` of the log, debug, info, warn or error; without it, info", text(func(o *Options) *string { return &o.logLevel })},
	}
}

func text(field func(*Options) *string) place {
	set := func(o *Options, value string) error {
		*field(o) = value
		return nil
	}
	return place{set, func(o Options) string { return *field(&o) }}
}

func duration(field func(*Options) *time.Duration) place {
	set := func(o *Options, value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("must be a duration such as 1s or 500ms, got %q", value)
		}
		if d == 0 {
			d = -1 // none, where zero would be the default
		}
		*field(o) = d
		return nil
	}
	return place{set, func(o Options) string { return max(*field(&o), 0).String() }}
}

func setWeight(o *Options, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > registry.MaxWeight {
		return fmt.Errorf("must be a whole number from 1 to %d, got %q", registry.MaxWeight, value)
	}
	o.Weight = n
	return nil
}

func setPort(o *Options, value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("must be a port from 0 to 65535, got %q", value)
	}
	host, _, err := net.SplitHostPort(o.withDefaults().Addr)
	if err != nil {
		return fmt.Errorf("replaces the port of an address that is none: %w", err)
	}
	o.Addr = net.JoinHostPort(host, value)
	return nil
}

// fromEnvironment returns o changed by what the environment says. The error
// names the variable.
func (o Options) fromEnvironment(getenv func(string) string) (Options, error) {
	for _, s := range knobs() {
		value := getenv(s.env)
		if value == "" {
			continue
		}
		if err := s.set(&o, value); err != nil {
			return o, fmt.Errorf("%s: %w", s.env, err)
		}
	}
	return o, nil
}

// Flags defines the service's flags on fs, for a program that has flags of its
// own. Parse fs before the service starts. [App.RunArgs] and [App.Main] do
// both by themselves.
func (a *App) Flags(fs *flag.FlagSet) {
	for _, s := range knobs() {
		if s.flag == "" {
			continue
		}
		fs.Func(s.flag, s.help(a.given), a.flagSetter(s))
	}
	fs.Func("set", "`NAME=VALUE` of a setting, in place of the registry's; may be given again", a.settings.give)
}

// help tells what a flag is for, its variable, and what counts without them by
// what the program's author said.
func (k knob) help(given Options) string {
	given.Weight = cmp.Or(given.Weight, registry.DefaultWeight)
	if value := k.get(given.withDefaults()); value != "" {
		return fmt.Sprintf("%s (%s; default %s)", k.usage, k.env, value)
	}
	return fmt.Sprintf("%s (%s)", k.usage, k.env)
}

// flagSetter checks a value at once, so that the flag package names the flag
// in its error, and keeps it for the time when the environment was applied.
func (a *App) flagSetter(s knob) func(string) error {
	return func(value string) error {
		var scratch Options
		if err := s.set(&scratch, value); err != nil {
			return err
		}
		a.flags = append(a.flags, func(o *Options) error { return s.set(o, value) })
		return nil
	}
}

// resolve folds Options, environment and flags, in this order, into what the
// service runs by.
func (a *App) resolve() (Options, error) {
	o, err := a.given.fromEnvironment(a.env.getenv)
	if err != nil {
		return o, err
	}
	for _, set := range a.flags {
		if err := set(&o); err != nil {
			return o, err
		}
	}
	return o.withDefaults(), nil
}
