package haproxy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// errNoSlot says that there are more services than slots.
var errNoSlot = errors.New("haproxy has no slot left for another service")

// A verb is what a command does. They are sent in the order in which they
// stand here, so that a service that has a usable server all the time also has
// one between two commands.
type verb int

const (
	addServer verb = iota
	setReady
	setWeight
	addEntry
	setEntry
	setDrain
	setMaint
	delEntry
	delServer
)

// mapName is the map of services; HAProxy calls it by its file's name.
const mapName = "services.map"

// seenKey is the entry that says that a table has been applied. No service can
// have the name.
const seenKey = "*"

// A command changes one thing in HAProxy.
type command struct {
	verb verb
	// slot and server name a server, with addr and weight where they matter.
	slot, server string
	addr         netip.AddrPort
	weight       int
	// key and value are those of an entry of the map.
	key, value string
}

// String is the command as HAProxy reads it.
func (c command) String() string {
	at := c.slot + "/" + c.server
	switch c.verb {
	case addServer:
		return fmt.Sprintf("add server %s %s weight %d", at, c.addr, c.weight)
	case setReady:
		return "set server " + at + " state ready"
	case setWeight:
		return "set server " + at + " weight " + strconv.Itoa(c.weight)
	case setDrain:
		return "set server " + at + " state drain"
	case setMaint:
		return "set server " + at + " state maint"
	case delServer:
		return "del server " + at
	case addEntry:
		return "add map " + mapName + " " + c.key + " " + c.value
	case setEntry:
		return "set map " + mapName + " " + c.key + " " + c.value
	}
	return "del map " + mapName + " " + c.key
}

// serverDeleted is the answer of a deletion that succeeded.
const serverDeleted = "Server deleted."

// succeeded tells whether an answer is the one of success.
func (c command) succeeded(answer string) bool {
	switch c.verb {
	case addServer:
		return answer == "New server registered."
	case delServer:
		return answer == serverDeleted
	}
	return answer == ""
}

// A running server is what HAProxy has.
type running struct {
	weight int
	mode   mode
}

// A model is what HAProxy has: the entries of its map, and its servers by slot
// and name.
type model struct {
	// worker is the process that has it, made from what description says.
	worker      int
	description string

	slots   int
	entries map[string]string
	servers map[string]map[string]running
}

func newModel(slots int) *model {
	return &model{slots: slots, entries: map[string]string{}, servers: map[string]map[string]running{}}
}

// apply makes the model what it is after a command.
func (m *model) apply(c command) {
	switch c.verb {
	case addEntry, setEntry:
		m.entries[c.key] = c.value
	case delEntry:
		delete(m.entries, c.key)
	case addServer:
		m.put(c.slot, c.server, running{weight: c.weight, mode: maint})
	case delServer:
		delete(m.servers[c.slot], c.server)
	default:
		m.change(c)
	}
}

func (m *model) change(c command) {
	s := m.servers[c.slot][c.server]
	switch c.verb {
	case setWeight:
		s.weight = c.weight
	case setReady:
		s.mode = ready
	case setDrain:
		s.mode = drain
	default:
		s.mode = maint
	}
	m.put(c.slot, c.server, s)
}

func (m *model) put(slot, name string, s running) {
	if m.servers[slot] == nil {
		m.servers[slot] = map[string]running{}
	}
	m.servers[slot][name] = s
}

// slotName is the backend of a slot.
func slotName(n int) string { return "s" + strconv.Itoa(n) }

// slotless is what the map says of a farm that goes aside and has no slot.
const slotless = "a"

// entry is what the map says of a farm in a slot.
func (f *farm) entry(slot string) string {
	switch {
	case slot == "":
		return slotless
	case f.aside:
		return "a" + slot[1:]
	case f.usable():
		return slot
	}
	return "n" + slot[1:]
}

// slotIn returns the slot that an entry means, "" if it means none.
func slotIn(entry string, slots int) string {
	if len(entry) < 2 || !strings.Contains("sna", entry[:1]) {
		return ""
	}
	n, err := strconv.Atoi(entry[1:])
	if err != nil || n < 0 || n >= slots || !isCanonical(entry[1:]) {
		return ""
	}
	if entry[0] == 's' {
		return entry
	}
	return slotName(n)
}

// isCanonical tells whether a number is written as slotName does.
func isCanonical(number string) bool {
	return number[0] >= '0' && number[0] <= '9' && (number[0] != '0' || number == "0")
}

// assign gives every farm its slot. Only one that goes aside can do without.
func assign(farms []*farm, have *model) (map[string]string, error) {
	slots, left := assigned(farms, have)
	if slices.ContainsFunc(left, func(f *farm) bool { return !f.aside }) {
		return nil, errNoSlot
	}
	return slots, nil
}

// assigned gives farms their slots: the one it has, else one that is empty, and
// returns for whom none was left. Those that need none come last.
func assigned(farms []*farm, have *model) (slots map[string]string, left []*farm) {
	taken := make(map[string]bool, len(farms))
	slots = make(map[string]string, len(farms))
	for _, f := range farms {
		if slot := slotIn(have.entries[f.service], have.slots); slot != "" && !taken[slot] {
			slots[f.service], taken[slot] = slot, true
		}
	}
	next := 0
	for _, needs := range []bool{true, false} {
		for _, f := range farms {
			if slots[f.service] != "" || f.needsSlot() != needs {
				continue
			}
			for next < have.slots && (taken[slotName(next)] || len(have.servers[slotName(next)]) > 0) {
				next++
			}
			if next == have.slots {
				left = append(left, f)
				continue
			}
			slots[f.service], taken[slotName(next)] = slotName(next), true
		}
	}
	return slots, left
}

// needsSlot tells whether a farm has anything to put there.
func (f *farm) needsSlot() bool { return !f.aside || len(f.servers) > 0 }

// plan returns the commands that make what HAProxy has what the farms want.
// Servers that nobody wants any more go into maintenance; to delete them is
// the sweep's business. The servers of farms that are settled are not looked
// at: HAProxy was made equal to them before and not looked at since.
func plan(farms []*farm, have *model, settled map[*farm]bool) ([]command, error) {
	slots, err := assign(farms, have)
	if err != nil {
		return nil, err
	}
	var p planner
	wanted := make(map[string]string, len(farms)+1)
	wanted[seenKey] = "-"
	owners := make(map[string]*farm, len(farms))
	for _, f := range farms {
		slot := slots[f.service]
		wanted[f.service] = f.entry(slot)
		if slot != "" {
			owners[slot] = f
		}
	}

	p.entries(wanted, have.entries)
	for slot, f := range owners {
		if !settled[f] || slotIn(have.entries[f.service], have.slots) != slot {
			p.servers(slot, f.servers, have.servers[slot])
		}
	}
	for slot, servers := range have.servers {
		if owners[slot] == nil {
			p.servers(slot, nil, servers)
		}
	}
	slices.SortFunc(p.commands, before)
	return p.commands, nil
}

// before orders commands by their verbs, and otherwise so that the same
// difference is always the same plan.
func before(a, b command) int {
	return cmp.Or(cmp.Compare(a.verb, b.verb), cmp.Compare(a.slot, b.slot), cmp.Compare(a.server, b.server), cmp.Compare(a.key, b.key))
}

type planner struct{ commands []command }

func (p *planner) add(c command) { p.commands = append(p.commands, c) }

func (p *planner) entries(want, have map[string]string) {
	for key, value := range want {
		switch old, ok := have[key]; {
		case !ok:
			p.add(command{verb: addEntry, key: key, value: value})
		case old != value:
			p.add(command{verb: setEntry, key: key, value: value})
		}
	}
	for key := range have {
		if _, ok := want[key]; !ok {
			p.add(command{verb: delEntry, key: key})
		}
	}
}

func (p *planner) servers(slot string, want []server, have map[string]running) {
	wanted := make(map[string]bool, len(want))
	for _, s := range want {
		wanted[s.name] = true
		old, ok := have[s.name]
		if !ok {
			p.add(command{verb: addServer, slot: slot, server: s.name, addr: s.addr, weight: s.weight})
			old = running{weight: s.weight, mode: maint}
		}
		p.server(slot, s, old)
	}
	for name, old := range have {
		if !wanted[name] && old.mode != maint {
			p.add(command{verb: setMaint, slot: slot, server: name})
		}
	}
}

var verbOf = map[mode]verb{ready: setReady, drain: setDrain, maint: setMaint}

func (p *planner) server(slot string, want server, have running) {
	if have.weight != want.weight {
		p.add(command{verb: setWeight, slot: slot, server: want.name, weight: want.weight})
	}
	if have.mode != want.mode {
		p.add(command{verb: verbOf[want.mode], slot: slot, server: want.name})
	}
}

// equal tells whether two models say the same of what HAProxy has.
func (m *model) equal(o *model) bool {
	if m.slots != o.slots || !maps.Equal(m.entries, o.entries) {
		return false
	}
	for n := range m.slots {
		if slot := slotName(n); !maps.Equal(m.servers[slot], o.servers[slot]) {
			return false
		}
	}
	return true
}

// settledBy returns the farms as what HAProxy is equal to.
func settledBy(farms []*farm) map[*farm]bool {
	set := make(map[*farm]bool, len(farms))
	for _, f := range farms {
		set[f] = true
	}
	return set
}
