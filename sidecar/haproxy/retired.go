package haproxy

import (
	"context"
	"os"
	"slices"
	"strconv"
	"time"
)

// A retired worker takes no connections any more, but answers one more request
// on each that was idle at the reload, by the table of that time: HAProxy
// changes no server of a worker that is stopping.
type retired struct {
	pid int
	at  time.Time
}

// dismiss ends the workers that a reload has replaced a while ago, as soon as
// they have no request. Until then the connections that are busy at all have
// moved on to the new one.
func (k *owned) dismiss(ctx context.Context) {
	k.retired = slices.DeleteFunc(k.retired, func(r retired) bool { return !runsIn(r.pid, k.in.path) })
	master := runtimeAPI{k.in.file(masterSock)}
	for _, r := range k.retired {
		if time.Since(r.at) < k.plane.opts.Retire || !isIdle(ctx, master, r.pid) {
			continue
		}
		if worker, err := os.FindProcess(r.pid); err == nil {
			_ = worker.Signal(atOnce)
		}
	}
}

// isIdle tells whether a worker that is stopping has no request left.
func isIdle(ctx context.Context, master runtimeAPI, worker int) bool {
	answers, err := master.ask(ctx, "@!"+strconv.Itoa(worker)+" show stat -1 2 -1")
	return err == nil && nobodyServed(answers[0])
}

// nobodyServed tells whether no backend has a request, by their statistics.
func nobodyServed(text string) bool {
	rows, err := readStats(text)
	return err == nil && len(rows) > 0 && !slices.ContainsFunc(rows, func(row map[string]string) bool { return row["scur"] != "0" })
}
