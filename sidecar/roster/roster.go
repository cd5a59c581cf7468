package roster

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"fairlead.dev/registry"
)

// Options of a roster. Dir, Realm and Atlas are required.
type Options struct {
	// Dir has the declarations: files that end in .yaml or .yml.
	Dir   string
	Realm string

	// Atlas, Beater and OnConnect are those of attend.Options.
	Atlas     registry.Atlas
	Beater    registry.Beater
	OnConnect func(func()) (remove func())

	// Every is the time between two looks into Dir, 1 s by default. A change
	// counts from the second look on that finds it. Looking works on every file
	// system, and with links that are swapped, where notifications do not.
	Every time.Duration
	// DrainDelay is how long an instance that goes stays registered after
	// callers were told to go elsewhere; 1 s by default.
	DrainDelay time.Duration

	Logger *slog.Logger // nil: slog.Default()
}

// A Roster attends what a directory declares.
type Roster struct {
	opts Options
	log  *slog.Logger

	// Of the goroutine of Run:
	files   map[string]file
	keepers map[registry.Key]*keeper
	told    map[string]string // problems that were logged, by file
	looked  bool
	tasks   sync.WaitGroup

	mu      sync.Mutex
	entries []Entry
}

// An Entry is what became of one declaration.
type Entry struct {
	File     string `json:"file"`
	Service  string `json:"service,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Status is what the checks say, and Reason why if that is not passing.
	Status registry.Status `json:"status,omitempty"`
	Reason string          `json:"reason,omitempty"`
	// Problem says what is wrong with the file. What it said before is in force.
	Problem string `json:"problem,omitempty"`
}

// New returns a roster that does nothing until Run.
func New(opts Options) *Roster {
	opts.Every, opts.DrainDelay = cmp.Or(opts.Every, time.Second), cmp.Or(opts.DrainDelay, time.Second)
	opts.Logger = cmp.Or(opts.Logger, slog.Default())
	return &Roster{opts: opts, log: opts.Logger.With("component", "roster"), keepers: map[registry.Key]*keeper{}, told: map[string]string{}}
}

// Run attends until ctx ends, and then abandons what is registered, which
// others may take over. Call it once.
func (r *Roster) Run(ctx context.Context) error {
	defer r.abandon()
	tick := time.NewTicker(r.opts.Every)
	defer tick.Stop()
	for {
		r.look(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Roster) abandon() {
	r.tasks.Wait()
	for _, k := range r.keepers {
		k.abandon()
	}
}

// look has one look into the directory do its work.
func (r *Roster) look(ctx context.Context) {
	if seen, err := scan(r.opts.Dir); err != nil {
		r.tell(r.opts.Dir, err)
	} else {
		r.tell(r.opts.Dir, nil)
		r.files, r.looked = fold(r.files, seen, r.opts.Realm, !r.looked), true
	}
	wanted, problems := wishes(r.files)
	r.tellAll(problems)
	r.reconcile(ctx, wanted)
	r.publish(problems)
}

func (r *Roster) reconcile(ctx context.Context, wanted map[registry.Key]wish) {
	for key, k := range r.keepers {
		w, isWanted := wanted[key]
		var wish *wish
		if isWanted {
			wish = &w
		}
		r.take(ctx, next(k, wish), key, wish)
	}
	for key, w := range wanted {
		if r.keepers[key] == nil {
			r.take(ctx, begin, key, &w)
		}
	}
}

func (r *Roster) take(ctx context.Context, s step, key registry.Key, w *wish) {
	switch s {
	case begin:
		r.begin(key, *w, "")
	case renew:
		status, _ := r.keepers[key].status()
		r.keepers[key].abandon()
		r.begin(key, *w, status)
	case end:
		r.log.Info("declared no more as it was, taking it out", "instance", key.String())
		r.keepers[key].withdraw(ctx, r.opts.DrainDelay, &r.tasks)
	case forget:
		delete(r.keepers, key)
	case nothing:
	}
}

func (r *Roster) begin(key registry.Key, w wish, known registry.Status) {
	k, err := r.keep(w, known)
	if err != nil { // what a file declares was checked
		r.log.Error("declaration is not to be used", "file", w.file, "error", err)
		return
	}
	r.log.Info("attending", "file", w.file, "instance", key.String())
	r.keepers[key] = k
}

// tell logs a problem once, and when it is over.
func (r *Roster) tell(file string, problem error) {
	text := ""
	if problem != nil {
		text = problem.Error()
	}
	switch before := r.told[file]; {
	case text == before:
		return
	case text == "":
		r.log.Info("declaration can be read again", "file", file)
		delete(r.told, file)
		return
	}
	r.told[file] = text
	r.log.Warn("declaration makes no sense, what it said before stays in force", "file", file, "problem", text)
}

func (r *Roster) tellAll(problems map[string]error) {
	for name := range r.files {
		r.tell(name, problems[name])
	}
	maps.DeleteFunc(r.told, func(name string, _ string) bool {
		_, there := r.files[name]
		return !there && name != r.opts.Dir
	})
}

// publish makes the entries that others read.
func (r *Roster) publish(problems map[string]error) {
	var entries []Entry
	told := map[string]bool{}
	for _, k := range r.keepers {
		e := Entry{File: k.file, Service: k.spec.Key.Service, Instance: k.spec.Key.Instance}
		if problem := problems[k.file]; problem != nil {
			e.Problem = problem.Error()
		}
		e.Status, e.Reason = k.status()
		told[k.file] = true
		entries = append(entries, e)
	}
	for name, problem := range problems {
		if !told[name] {
			entries = append(entries, Entry{File: name, Problem: problem.Error()})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Instance, b.Instance))
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = entries
}

// Entries tells what became of the declarations, by the last look. It may be
// called concurrently with Run.
func (r *Roster) Entries() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries)
}

// ServeHTTP answers with the entries as JSON.
func (r *Roster) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	// A caller that went away is nobody's problem.
	_ = json.NewEncoder(w).Encode(struct {
		Attended []Entry `json:"attended"`
	}{append([]Entry{}, r.Entries()...)})
}
