package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// measure fills in the report after the load has ended.
func (d *demo) measure(ctx context.Context, from, to time.Time, base map[life]int) error {
	served, err := d.ownCounts(ctx)
	if err != nil {
		return err
	}
	if err := d.countRetries(ctx); err != nil {
		return err
	}
	d.tally.summarise(d.report, from, to)
	d.compare(served, base)
	d.report.judge()
	return nil
}

// summarise copies what the callers saw.
func (t *tally) summarise(r *Report, from, to time.Time) {
	r.PoorestSecond = t.poorest(from, to)
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Requests, r.ByPath = t.sum(), t.requests
	r.Failures, r.Examples, r.Mismatched = t.failures, t.examples, t.mismatch
	for _, n := range t.failures {
		r.Failed += n
	}
	q := quantiles(t.took, 0.5, 0.99, 1)
	r.P50, r.P99, r.Max = ms(q[0]), ms(q[1]), ms(q[2])
	r.Seconds = to.Sub(from).Seconds()
}

// compare sets each incarnation's own count beside what the callers saw of it.
// The killed one took its count with it: what is known is the highest that an
// answer carried, and the answers below it that never arrived were cut off.
func (d *demo) compare(served, base map[life]int) {
	r := d.report
	for by, l := range d.tally.lives {
		c := Count{life: by, Served: served[by] - base[by], Answers: len(l.answers)}
		if by == d.killedLife {
			c.Killed, c.Served = true, l.highest-base[by]
			r.CutOff += c.Served - c.Answers
		}
		r.Counts = append(r.Counts, c)
		r.ServedByServices += c.Served
		r.AnswersSeen += c.Answers
	}
	slices.SortFunc(r.Counts, func(a, b Count) int {
		return strings.Compare(a.Instance+a.Incarnation, b.Instance+b.Incarnation)
	})
}

// ownCounts asks the services themselves: those that live by HTTP, those that
// ended in order by what they logged last.
func (d *demo) ownCounts(ctx context.Context) (map[life]int, error) {
	counts := map[life]int{}
	for id, p := range d.realm.instances {
		if err := lastCounts(p.log, counts); err != nil {
			return nil, err
		}
		if p.alive() {
			by, n, err := d.askCount(ctx, id)
			if err != nil {
				return nil, err
			}
			counts[by] = n
		}
	}
	return counts, nil
}

func (d *demo) askCount(ctx context.Context, id string) (life, int, error) {
	table, _ := d.tables.sessions[0].Table().Table()
	service := strings.TrimRight(id, "-0123456789")
	in, found := find(table, service, id)
	if !found {
		return life{}, 0, fmt.Errorf("ask %s for its count: it is not listed", id)
	}
	var own struct {
		life
		Served int `json:"served"`
	}
	if err := httpGet(ctx, http.DefaultClient, "http://"+in.Addr()+"/count", &own); err != nil {
		return life{}, 0, fmt.Errorf("ask %s for its count: %w", id, err)
	}
	return own.life, own.Served, nil
}

// lastCounts reads what ended incarnations logged: a line of JSON with the
// message "requests served".
func lastCounts(file string, into map[life]int) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read counts: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var line struct {
			Message string `json:"msg"`
			life
			Served int `json:"served"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "requests served" {
			into[line.life] = line.Served
		}
	}
	return lines.Err()
}

// retriesMetric is the smart client's counter, as it is named in Go and, by
// Prometheus' rules, at /metrics.
const (
	retriesMetric     = "fairlead.client.retries"
	retriesPrometheus = "fairlead_client_retries"
)

func (d *demo) countRetries(ctx context.Context) error {
	var own metricdata.ResourceMetrics
	if err := d.metrics.Collect(ctx, &own); err != nil {
		return fmt.Errorf("count retries: %w", err)
	}
	d.report.Retries["client"] = sumOf(own, retriesMetric)
	table, _ := d.tables.sessions[0].Table().Table()
	in, _ := find(table, gateway, gateway+"-1")
	for name, url := range map[string]string{gateway: "http://" + in.Addr() + "/metrics", "sidecar": d.realm.at.Sidecar + "/metrics"} {
		n, err := scrape(ctx, url)
		if err != nil {
			return fmt.Errorf("count the retries of the %s: %w", name, err)
		}
		d.report.Retries[name] = n
	}
	return nil
}

func sumOf(all metricdata.ResourceMetrics, name string) int {
	n := 0
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if m.Name != name || !ok {
				continue
			}
			for _, p := range sum.DataPoints {
				n += int(p.Value)
			}
		}
	}
	return n
}

// scrape adds up a counter's series in the Prometheus text format.
func scrape(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("GET %s: %s", url, res.Status)
	}
	n := 0
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), " ")
		name, _, _ := strings.Cut(series, "{")
		if !ok || name != retriesPrometheus+"_total" && name != retriesPrometheus+"_ratio_total" {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			return 0, fmt.Errorf("read %s: %w", series, err)
		}
		n += int(v)
	}
	return n, lines.Err()
}
