package rows

import (
	"time"

	"fairlead.dev/bench/internal/lab"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/verdict"
)

// What flips cost in processor time, for information: it says more than rates
// and latencies where others use the machine too.
var (
	serverCost = Figure{
		Name: "server", Title: "the server's processor time a flip", Unit: "ms", Target: verdict.Target{Better: verdict.Lower},
	}
	listenersCost = Figure{
		Name: "listeners", Title: "the 1,000 listeners' processor time a flip", Unit: "ms", Target: verdict.Target{Better: verdict.Lower},
	}
)

// costed adds what each of a number of flips cost the server and the listeners.
func costed(b *lab.Bench, s scene, flips int, do func() (Values, error)) (Values, error) {
	server, audience := process.Meter(b.Server()), process.Meter(s.audience.Child())
	values, err := do()
	if err != nil {
		return nil, err
	}
	for name, meter := range map[string]func() (time.Duration, error){"server": server, "listeners": audience} {
		cpu, err := meter()
		if err != nil {
			return nil, err
		}
		values[name] = milliseconds(cpu) / float64(flips)
	}
	return values, nil
}
