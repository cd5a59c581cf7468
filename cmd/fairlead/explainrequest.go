package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/route"
)

// A requestExplanation tells where proxies send a request.
type requestExplanation struct {
	Realm   string `json:"realm"`
	Service string `json:"service"`
	Path    string `json:"path"`
	// Rule is the number of the rule that counts, from 1; 0 if none matches, so
	// that the request goes to the service itself.
	Rule int              `json:"rule"`
	To   []registry.Share `json:"to"`
	// Services are explained in the order of To, without those of weight 0.
	Services []registry.Explanation `json:"services"`
}

// newAsked reads what rules look at from a URL and header lines.
func newAsked(target string, headers []string) (route.Asked, error) {
	if err := checkTarget(target); err != nil {
		return route.Asked{}, err
	}
	req, err := http.NewRequest(http.MethodGet, target, nil)
	if err != nil {
		return route.Asked{}, usagef("URL: %w", err)
	}
	return askedOf(req), setHeaders(req, headers)
}

// explainRequest tells which rule a request follows, and explains the services
// to which that leads. The rules of those do not count.
func (s *settings) explainRequest(ask explainer, url string, asked route.Asked) error {
	named, err := ask(asked.Service)
	if err != nil {
		return err
	}
	first := route.First(named.Rules, asked)
	x := requestExplanation{Realm: named.Realm, Service: asked.Service, Path: asked.Path, Rule: first + 1}
	x.To = []registry.Share{{Service: asked.Service, Weight: 100}}
	if first >= 0 {
		x.To = named.Rules[first].Split
	}
	for _, share := range x.To {
		if share.Weight == 0 {
			continue
		}
		one := named
		if share.Service != asked.Service {
			if one, err = ask(share.Service); err != nil {
				return err
			}
		}
		x.Services = append(x.Services, one)
	}
	return s.printRequest(x, url, named)
}

func (s *settings) printRequest(x requestExplanation, url string, named registry.Explanation) error {
	if s.json() {
		return errors.Join(s.printJSON(x), silently(x.err()))
	}
	if x.Rule == 0 {
		fmt.Fprintf(s.out, "%s: no rule of %s matches, so it goes to %s itself\n", url, x.Service, x.Service)
	} else {
		fmt.Fprintf(s.out, "%s: rule %d of %s, %s, leads to %s\n", url, x.Rule, x.Service, condition(named.Rules[x.Rule-1]), shares(x.To))
	}
	for _, one := range x.Services {
		if err := s.printInstances(one); err != nil {
			return err
		}
	}
	return errors.Join(s.printOrigin(named), silently(x.err()))
}

// err is nil if an instance of some service gets requests.
func (x requestExplanation) err() error {
	var errs []error
	for _, one := range x.Services {
		if one.Err() == nil {
			return nil
		}
		errs = append(errs, one.Err())
	}
	return errors.Join(errs...)
}

// condition tells which requests a rule is for.
func condition(r registry.Rule) string {
	var all []string
	if r.PathPrefix != "" {
		all = append(all, "below "+r.PathPrefix)
	}
	if r.Header.Name != "" {
		all = append(all, "with "+r.Header.Name+": "+r.Header.Value)
	}
	if len(all) == 0 {
		return "all"
	}
	return strings.Join(all, " and ")
}

// shares tells who gets how much of a split.
func shares(split []registry.Share) string {
	sum := 0
	for _, share := range split {
		sum += share.Weight
	}
	var all []string
	for _, share := range split {
		switch {
		case share.Weight == 0:
		case share.Weight == sum:
			return share.Service
		default:
			all = append(all, fmt.Sprintf("%s (%.3g %%)", share.Service, 100*float64(share.Weight)/float64(sum)))
		}
	}
	return strings.Join(all, ", ")
}
