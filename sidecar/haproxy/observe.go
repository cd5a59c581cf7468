package haproxy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"fairlead.dev/registry"
)

// errForeign says that a HAProxy was made from something else than the plane
// would make it from.
var errForeign = errors.New("the haproxy that answers was made from something else")

// observe asks HAProxy what it is and has.
func observe(ctx context.Context, api runtimeAPI) (*model, error) {
	// In one line, so that it is one worker that answers.
	answers, err := api.ask(ctx, "show info", "show servers state", "show map "+mapName)
	if err != nil {
		return nil, err
	}
	about := readInfo(answers[0])
	from, ok := readDescription(about.description)
	if !ok {
		return nil, fmt.Errorf("%w: its description is %q", errForeign, about.description)
	}
	m := newModel(from.slots)
	m.worker, m.description = about.pid, about.description
	if err := readServers(answers[1], m); err != nil {
		return nil, err
	}
	if err := readMap(answers[2], m); err != nil {
		return nil, err
	}
	return m, nil
}

// Columns of `show servers state` (version 1).
const (
	columnBackend = 1
	columnServer  = 3
	columnAdmin   = 6
	columnWeight  = 7
	columns       = 8
)

// Bits of a server's administrative state: any of the first four is some form
// of maintenance.
const (
	adminMaint = 0x01 | 0x02 | 0x04 | 0x20
	adminDrain = 0x08 | 0x10
)

func readServers(text string, m *model) error {
	lines := strings.Split(text, "\n")
	if lines[0] != "1" {
		return fmt.Errorf("haproxy shows its servers in a form that is not known: %.80q", lines[0])
	}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(fields) < columns || slotIn(fields[columnBackend], m.slots) == "" {
			continue
		}
		admin, err := strconv.Atoi(fields[columnAdmin])
		if err != nil {
			return fmt.Errorf("read servers of haproxy: %w", err)
		}
		weight, err := strconv.Atoi(fields[columnWeight])
		if err != nil {
			return fmt.Errorf("read servers of haproxy: %w", err)
		}
		m.put(fields[columnBackend], fields[columnServer], running{weight: weight, mode: modeIn(admin)})
	}
	return nil
}

func modeIn(admin int) mode {
	switch {
	case admin&adminMaint != 0:
		return maint
	case admin&adminDrain != 0:
		return drain
	}
	return ready
}

// readMap reads lines of an address, a key and a value. Keys that cannot be
// ours name no service either, so they are left alone.
func readMap(text string, m *model) error {
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Fields(line)
		if line == "" {
			continue
		}
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "0x") {
			return fmt.Errorf("haproxy shows its map of services in a form that is not known: %.80q", line)
		}
		key, value := fields[1], strings.Join(fields[2:], " ")
		if key != seenKey && registry.ValidateName("service", key) != nil {
			continue
		}
		if other, twice := m.entries[key]; twice && other != value {
			// Of no value that is wanted: setting it sets both.
			value = ""
		}
		m.entries[key] = value
	}
	return nil
}
