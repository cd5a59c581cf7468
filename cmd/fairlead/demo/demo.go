package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/smartclient"
)

// Options of a run. Binary is required.
type Options struct {
	// Binary is the fairlead command that the realm's processes are started
	// from.
	Binary string
	// NATSAddr, HTTPAddr and SidecarAddr are where the realm listens; port 0
	// picks a free one.
	NATSAddr, HTTPAddr, SidecarAddr string
	// Once ends the realm when the figures are there. Otherwise it stays up
	// until ctx ends.
	Once bool
	// Progress gets a line for everything that happens.
	Progress io.Writer
	// Finished gets the report before the realm is stopped.
	Finished func(*Report) error
	Logger   *slog.Logger
}

// A demo is one run.
type demo struct {
	opts    Options
	realm   *realm
	tables  *tables
	session *connect.Session
	metrics *sdkmetric.ManualReader
	tally   *tally
	report  *Report
	began   time.Time

	killedLife life
}

// Run brings a realm up, has everything happen to it while requests flow, and
// reports. An error says that the run could not be carried out; what was
// measured and is not good is told by the report.
func Run(ctx context.Context, opts Options) (report *Report, err error) {
	d := &demo{opts: opts, tally: newTally(), report: &Report{Retries: map[string]int{}}, began: time.Now()}
	if d.realm, err = newRealm(opts); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close(err != nil && !errors.Is(err, ErrInterrupted))) }()
	if err := d.show(ctx); err != nil {
		return nil, err
	}
	if err := opts.Finished(d.report); err != nil || opts.Once {
		return d.report, err
	}
	d.invite()
	<-ctx.Done()
	return d.report, nil
}

// ErrInterrupted says that a run was ended before there was a report.
var ErrInterrupted = errors.New("interrupted before there was anything to report")

// show prepares the realm and plays the script. An error tells where to look,
// unless the user ended it.
func (d *demo) show(ctx context.Context) error {
	err := d.prepare(ctx)
	if err == nil {
		err = d.play(ctx)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ErrInterrupted
	}
	return fmt.Errorf("%w (logs are in %s)", err, d.realm.dir)
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.opts.Progress, "%6.1f s  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// prepare starts the realm and waits until every table lists every service.
func (d *demo) prepare(ctx context.Context) (err error) {
	if err := d.realm.start(ctx); err != nil {
		return err
	}
	d.say("bus at %s, bridge at %s, sidecar at %s", d.realm.at.NATS, d.realm.at.HTTP, d.realm.at.Sidecar)
	if d.tables, err = openTables(ctx, d.realm.at.NATS, d.opts.Logger); err != nil {
		return err
	}
	if err := d.openSession(ctx); err != nil {
		return err
	}
	all := []func(*registry.Table) bool{takes(gateway, gateway+"-1"), takes(foreign, foreign+"-1")}
	for _, id := range identityIDs {
		all = append(all, takes(identity, id))
	}
	if _, err := d.tables.reach(ctx, "the start of the services", every(all...)); err != nil {
		return err
	}
	if err := d.sidecarListed(ctx); err != nil {
		return err
	}
	d.say("%d processes: bus and Atlas, sidecar, 3 × identity, gateway, and greeting, which knows nothing of Fairlead", len(d.realm.instances)+2)
	return nil
}

// openSession is the demo's own smart client. Its metrics tell its retries.
func (d *demo) openSession(ctx context.Context) (err error) {
	d.metrics = sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(d.metrics))
	d.session, err = connect.Open(ctx, connect.Options{
		Realm: realmName, NATSURL: d.realm.at.NATS, Name: "demo", Cache: connect.NoCache, Logger: d.opts.Logger,
		Services: []string{identity}, Client: smartclient.Options{MeterProvider: provider},
	})
	return err
}

// sidecarListed waits until the sidecar carries every service.
func (d *demo) sidecarListed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, c := range d.callers() {
		err := poll(ctx, func() (bool, error) {
			_, err := c.send("first", 1)
			return err == nil, nil
		})
		if err != nil {
			return fmt.Errorf("%s did not answer by path %s: %w", c.url(1), c.path, err)
		}
	}
	return nil
}

// callers are the paths by which requests go, 470 a second together.
func (d *demo) callers() []caller {
	proxy := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: requestTimeout}
	at := func(base, path string) func(int64) string {
		return func(n int64) string { return fmt.Sprintf("%s%s/%d", base, path, n%1000+1) }
	}
	to := func(service string) http.Header { return http.Header{"Fairlead-Service": {service}} }
	return []caller{
		{path: "client", every: 6 * time.Millisecond, doer: d.session.Client(), url: at("service://identity", "/users"), parse: parseUser},
		{path: "sidecar", every: 6 * time.Millisecond, doer: proxy, url: at(d.realm.at.Sidecar, "/users"), header: to(identity), parse: parseUser},
		{path: "gateway", every: 12 * time.Millisecond, doer: proxy, url: at(d.realm.at.Sidecar, "/users"), header: to(gateway), parse: parseGateway},
		{path: "greeting", every: 18 * time.Millisecond, doer: proxy, url: at(d.realm.at.Sidecar, "/greetings"), header: to(foreign), parse: parseUser},
	}
}

// play lets requests flow through everything that the script does.
func (d *demo) play(ctx context.Context) error {
	// What was asked before the load is no request of it.
	base, err := d.ownCounts(ctx)
	if err != nil {
		return err
	}
	l := startLoad(ctx, d.tally, d.callers())
	err = d.script(ctx)
	ended := l.stop()
	if err != nil {
		return err
	}
	return d.measure(ctx, l.began, ended, base)
}

func (d *demo) invite() {
	fmt.Fprintf(d.opts.Progress, `
The realm stays up. Try:
  curl -H 'Fairlead-Service: identity' %[1]s/users/1
  http_proxy=%[1]s curl http://identity.service/users/1
  curl %[2]s/call/identity/users/1
  %[4]s instances --nats-url %[3]s
Ctrl-C ends it.
`, d.realm.at.Sidecar, d.realm.at.HTTP, d.realm.at.NATS, d.opts.Binary)
}

// close ends everything that the run started. ctx may have ended, the services
// still leave in order.
func (d *demo) close(keepLogs bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopTimeout)
	defer cancel()
	var errs []error
	if d.session != nil {
		errs = append(errs, d.session.Close(ctx))
	}
	if d.tables != nil {
		errs = append(errs, d.tables.close(ctx))
	}
	return errors.Join(append(errs, d.realm.stop(ctx, keepLogs))...)
}
