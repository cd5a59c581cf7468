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
	last map[string]int64
	// served is what callers got, sent what became of attempts at instances.
	served, sent totals
	// rests are what is left where a counter has more than its parts: answers of
	// HAProxy's own, and attempts without an answer.
	rests map[[2]string]rest
}

// A tally is what requests are counted by. A class is the first digit of a
// status, as in 2xx; it is empty where there was no answer. A failure is none
// where an instance answered.
type tally struct{ service, instance, class, failure string }

// A total is how many there were, and how long they took together: about, for
// HAProxy tells averages, in whole milliseconds.
type total struct {
	count   int64
	seconds float64
}

// A rest is by how much a counter is ahead of its parts, and how much of that
// was taken for what is missing there. The former may be wrong for a moment,
// because they are told one after the other and count at different times.
type rest struct{ ahead, taken int64 }

// of returns how much more is missing, when the counter has grown by more than
// its parts, and so much may still come there.
func (r *rest) of(more, pending int64) (n int64) {
	r.ahead += more
	n = max(r.ahead-pending-r.taken, 0)
	r.taken += n
	return n
}

func newLedger(api runtimeAPI) *ledger {
	return &ledger{
		api: api, owners: map[string]string{}, last: map[string]int64{},
		served: totals{}, sent: totals{}, rests: map[[2]string]rest{},
	}
}

// owns notes which services have which slots.
func (l *ledger) owns(entries map[string]string, slots int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for service, entry := range entries {
		if slot := slotIn(entry, slots); slot != "" {
			l.owners[slot] = service
		}
	}
}

// restarted notes that all counters begin at zero again. What was under way is
// counted nowhere any more.
func (l *ledger) restarted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.last)
	for at, r := range l.rests {
		l.rests[at] = rest{r.taken, r.taken}
	}
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
	l.fold(rows)
	return nil
}

// classes are the columns of answers by the first digit of their status.
var classes = map[string]string{"hrsp_1xx": "1xx", "hrsp_2xx": "2xx", "hrsp_3xx": "3xx", "hrsp_4xx": "4xx", "hrsp_5xx": "5xx", "hrsp_other": "other"}

// Columns of what got no answer: nobody could be connected to, or who was broke
// off.
const (
	unconnected = "econ"
	brokenOff   = "eresp"
)

// What callers are told then; the rest of HAProxy's own answers of a service is
// for want of time. Of an attempt that was followed by another one it does not
// tell why.
const (
	codeUnreachable = "unreachable"
	codeNoAnswer    = "no-answer"
	codeTimeout     = "timeout"
	codeRefused     = "refused"
	codeRetried     = "retried"
)

// fold takes the servers first: a backend counts what they answered too, and
// what is left is HAProxy's own.
func (l *ledger) fold(rows []map[string]string) {
	byServers := map[[2]string]int64{}
	for _, row := range rows {
		service, ours := l.owners[row["pxname"]]
		if ours && row["svname"] != "BACKEND" && row["svname"] != "FRONTEND" {
			l.foldServer(row, service, byServers)
		}
	}
	for _, row := range rows {
		service, ours := l.owners[row["pxname"]]
		if row["svname"] == "BACKEND" && (ours || row["pxname"] == "refuse") {
			l.foldBackend(row, service, byServers)
		}
	}
}

func (l *ledger) foldServer(row map[string]string, service string, byServers map[[2]string]int64) {
	instance, _, _ := strings.Cut(row["svname"], "_")
	toHeader, whole := average(row, "ctime", "rtime"), average(row, "ttime")
	unanswered := l.since(row, "stot")
	for column, class := range classes {
		n := l.since(row, column)
		l.sent.add(tally{service, instance, class, failureOf(class, '4')}, n, toHeader)
		l.served.add(tally{service, "", class, failureOf(class, '5')}, n, whole)
		byServers[[2]string{row["pxname"], class}] += n
		unanswered -= n
	}
	for column, code := range map[string]string{unconnected: codeUnreachable, brokenOff: codeNoAnswer} {
		n := l.since(row, column)
		l.sent.add(tally{service, instance, "", code}, n, 0)
		unanswered -= n
	}
	underWay, _ := strconv.ParseInt(row["scur"], 10, 64)
	retried := l.rest(row["pxname"], row["svname"], unanswered, underWay)
	l.sent.add(tally{service, instance, "", codeRetried}, retried, 0)
}

func (l *ledger) rest(slot, of string, more, pending int64) int64 {
	at := [2]string{slot, of}
	r := l.rests[at]
	n := r.of(more, pending)
	l.rests[at] = r
	return n
}

func (l *ledger) foldBackend(row map[string]string, service string, byServers map[[2]string]int64) {
	whole := average(row, "ttime")
	broken := map[string]int64{codeUnreachable: l.since(row, unconnected), codeNoAnswer: l.since(row, brokenOff)}
	for column, class := range classes {
		own := l.rest(row["pxname"], class, l.since(row, column)-byServers[[2]string{row["pxname"], class}], 0)
		switch {
		case service == "":
			l.served.add(tally{"", "", class, codeRefused}, own, whole)
		case class == "5xx":
			l.foldFailures(service, own, whole, broken)
		default:
			l.served.add(tally{service, "", class, failureOf(class, '5')}, own, whole)
		}
	}
}

// foldFailures says why HAProxy itself answered with a 5xx, as far as that is
// known.
func (l *ledger) foldFailures(service string, own int64, whole float64, broken map[string]int64) {
	for _, code := range []string{codeUnreachable, codeNoAnswer} {
		n := min(own, broken[code])
		l.served.add(tally{service, "", "5xx", code}, n, whole)
		own -= n
	}
	l.served.add(tally{service, "", "5xx", codeTimeout}, own, whole)
}

// average is that of an answer's parts, in seconds.
func average(row map[string]string, columns ...string) (seconds float64) {
	for _, column := range columns {
		// What is not told is none.
		ms, _ := strconv.ParseFloat(row[column], 64)
		seconds += ms / 1000
	}
	return seconds
}

// failureOf is the class of an answer that counts as a failure, from a class
// on: to a server's client that is 4xx too.
func failureOf(class string, from byte) string {
	if class[0] == '4' && from == '4' || class[0] == '5' {
		return class
	}
	return ""
}

type totals map[tally]total

func (all totals) add(t tally, n int64, seconds float64) {
	if n > 0 {
		before := all[t]
		all[t] = total{before.count + n, before.seconds + float64(n)*seconds}
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
func (l *ledger) sums(ctx context.Context) (served, sent totals, err error) {
	if err = l.read(ctx); err != nil {
		err = fmt.Errorf("read haproxy's counters: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.served), maps.Clone(l.sent), err
}
