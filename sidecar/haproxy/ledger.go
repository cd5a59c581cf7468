package haproxy

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
)

// A ledger adds up what HAProxy counts. HAProxy forgets its counters with a
// server that is deleted and with a worker that is replaced; the ledger is read
// before that, and goes on counting. What a replaced worker still answers is
// not counted.
type ledger struct {
	api runtimeAPI

	mu sync.Mutex
	// owners are the services of slots, also of those that were given up, as
	// long as nobody else has them.
	owners map[string]string
	// last is what each counter was when it was read last.
	last     map[string]int64
	requests map[tally]int64
	failures map[failure]int64
	averages map[tally]float64
}

// A tally is what requests are counted by; an empty instance stands for answers
// of HAProxy's own.
type tally struct{ service, instance, class string }

type failure struct{ service, code string }

func newLedger(api runtimeAPI) *ledger {
	return &ledger{
		api: api, owners: map[string]string{}, last: map[string]int64{},
		requests: map[tally]int64{}, failures: map[failure]int64{}, averages: map[tally]float64{},
	}
}

// own notes which services have which slots.
func (l *ledger) own(entries map[string]string, slots int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for service, entry := range entries {
		if slot := slotIn(entry, slots); slot != "" {
			l.owners[slot] = service
		}
	}
}

// restarted notes that all counters begin at zero again.
func (l *ledger) restarted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.last)
}

// read adds what has been counted since the last time.
func (l *ledger) read(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers, err := l.api.ask(ctx, "show stat")
	if err != nil {
		return err
	}
	rows, err := readStats(answers[0])
	if err != nil {
		return err
	}
	clear(l.averages)
	l.fold(rows)
	return nil
}

// classes are the columns of answers by the first digit of their status.
var classes = map[string]string{"hrsp_1xx": "1xx", "hrsp_2xx": "2xx", "hrsp_3xx": "3xx", "hrsp_4xx": "4xx", "hrsp_5xx": "5xx", "hrsp_other": "other"}

// failed are the columns of a backend's failures, and what the built-in plane
// calls them.
var failed = map[string]string{"econ": "unreachable", "eresp": "no-answer"}

// fold takes the servers first: a backend counts what they answered too, and
// what is left is HAProxy's own.
func (l *ledger) fold(rows []map[string]string) {
	byServers := map[string]int64{}
	for _, row := range rows {
		service, ours := l.owners[row["pxname"]]
		if !ours || row["svname"] == "BACKEND" || row["svname"] == "FRONTEND" {
			continue
		}
		instance, _, _ := strings.Cut(row["svname"], "_")
		for column, class := range classes {
			n := l.since(row, column)
			l.count(tally{service, instance, class}, n)
			byServers[row["pxname"]+column] += n
		}
		if ms, err := strconv.ParseFloat(row["rtime"], 64); err == nil && row["stot"] != "0" {
			l.averages[tally{service: service, instance: instance}] = ms / 1000
		}
	}
	for _, row := range rows {
		if row["svname"] == "BACKEND" {
			l.foldBackend(row, byServers)
		}
	}
}

func (l *ledger) foldBackend(row map[string]string, byServers map[string]int64) {
	slot := row["pxname"]
	service, ours := l.owners[slot]
	if !ours && slot != "refuse" {
		return
	}
	for column, class := range classes {
		own := l.since(row, column) - byServers[slot+column]
		l.count(tally{service, "", class}, own)
		if slot == "refuse" && own > 0 {
			l.failures[failure{"", "refused"}] += own
		}
	}
	for column, code := range failed {
		if n := l.since(row, column); n > 0 {
			l.failures[failure{service, code}] += n
		}
	}
}

func (l *ledger) count(t tally, n int64) {
	if n > 0 {
		l.requests[t] += n
	}
}

// since returns how much a counter has grown. One that is lower than it was has
// begun anew.
func (l *ledger) since(row map[string]string, column string) int64 {
	now, err := strconv.ParseInt(row[column], 10, 64)
	if err != nil {
		return 0
	}
	key := row["pxname"] + "/" + row["svname"] + "/" + column
	before := l.last[key]
	l.last[key] = now
	if now < before {
		return now
	}
	return now - before
}

// sums returns what has been counted so far.
func (l *ledger) sums(ctx context.Context) (requests map[tally]int64, failures map[failure]int64, averages map[tally]float64, err error) {
	if err = l.read(ctx); err != nil {
		err = fmt.Errorf("read haproxy's counters: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.requests), maps.Clone(l.failures), maps.Clone(l.averages), err
}
