package bridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/problem"
)

// A view is what is known of a realm or a service, and where from: "live" is
// Atlas's own answer, "table" what this process held while Atlas was away.
type view struct {
	registry.Snapshot
	Source string `json:"source"`
	// AgeMS is how long ago it was last known to be current, in milliseconds.
	AgeMS int64 `json:"age_ms"`
}

// view asks Atlas, so that a caller reads what it has just written; while
// Atlas is away, the table that is followed anyway stands in.
func (b *Bridge) view(ctx context.Context, interest registry.Interest) (view, error) {
	snapshot, err := b.opts.Source.Snapshot(ctx, interest)
	switch {
	case err == nil:
		snapshot.Realm = interest.Realm
		return view{Snapshot: snapshot, Source: "live"}, nil
	case errors.Is(err, registry.ErrNoSuchService):
		return view{Snapshot: registry.Snapshot{Realm: interest.Realm}, Source: "live"}, nil
	}
	if table := b.feeds.table(interest.Realm); table != nil {
		return view{table.Snapshot(interest), "table", time.Since(table.Updated).Milliseconds()}, nil
	}
	return view{}, err
}

// summary is one service in the list of all.
type summary struct {
	Service   string `json:"service"`
	Revision  uint64 `json:"revision"`
	Instances int    `json:"instances"`
	// Usable counts the instances that may get requests, Passing those among
	// them that are well.
	Usable  int `json:"usable"`
	Passing int `json:"passing"`
	// Meta is what is known of the service as a whole.
	Meta registry.Meta `json:"meta,omitzero"`
}

func summarize(s registry.ServiceSnapshot) summary {
	sum := summary{Service: s.Name, Revision: s.Revision, Instances: len(s.Instances), Meta: s.Meta}
	for _, in := range s.Instances {
		if !in.Usable() {
			continue
		}
		sum.Usable++
		if in.Status == registry.Passing {
			sum.Passing++
		}
	}
	return sum
}

// listServices answers with all services of a realm.
func (b *Bridge) listServices(w http.ResponseWriter, r request) error {
	v, err := b.view(r.Context(), registry.Interest{Realm: r.key.Realm})
	if err != nil {
		return err
	}
	answer := struct {
		Realm    string            `json:"realm"`
		Revision registry.Revision `json:"revision"`
		Source   string            `json:"source"`
		AgeMS    int64             `json:"age_ms"`
		Services []summary         `json:"services"`
	}{r.key.Realm, v.Revision, v.Source, v.AgeMS, make([]summary, 0, len(v.Services))}
	for _, s := range v.Services {
		answer.Services = append(answer.Services, summarize(s))
	}
	return writeAsOf(w, r, v.Revision, answer)
}

// showService answers with every instance of a service.
func (b *Bridge) showService(w http.ResponseWriter, r request) error {
	v, err := b.view(r.Context(), registry.Interest{Realm: r.key.Realm, Service: r.key.Service})
	if err != nil {
		return err
	}
	for _, s := range v.Services {
		if s.Name == r.key.Service && (len(s.Instances) > 0 || !s.Meta.IsZero()) {
			return writeAsOf(w, r, v.Revision, serviceAnswer(v, s))
		}
	}
	return problem.New(http.StatusNotFound, "no-such-service", fmt.Sprintf("service: no instance of %s is registered in %s", r.key.Service, r.key.Realm))
}

func serviceAnswer(v view, s registry.ServiceSnapshot) any {
	return struct {
		Realm     string              `json:"realm"`
		Service   string              `json:"service"`
		Revision  registry.Revision   `json:"revision"`
		Source    string              `json:"source"`
		AgeMS     int64               `json:"age_ms"`
		Instances []registry.Instance `json:"instances"`
		Meta      registry.Meta       `json:"meta,omitzero"`
	}{v.Realm, s.Name, v.Revision, v.Source, v.AgeMS, append([]registry.Instance{}, s.Instances...), s.Meta}
}
