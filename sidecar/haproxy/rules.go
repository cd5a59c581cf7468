package haproxy

import (
	"fmt"
	"strings"

	"fairlead.dev/registry"
)

// A ruled service is one whose requests go elsewhere by rules.
type ruled struct {
	service string
	rules   []registry.Rule
}

// ruledIn returns the services of a table that have rules, sorted by name.
// Rules that no registry should have let pass are left out whole: they become
// part of the configuration.
func ruledIn(t *registry.Table) (list []ruled) {
	for s := range t.Services() {
		rules := s.Meta.Rules
		if len(rules) == 0 || registry.ValidateName("service", s.Name) != nil || (registry.Meta{Rules: rules}).Validate() != nil {
			continue
		}
		list = append(list, ruled{s.Name, rules})
	}
	return list
}

func namesOf(list []ruled) []string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.service
	}
	return names
}

// A ruleLines writes the lines by which the frontend follows rules. The first
// rule of the service that matches sets txn.rule, after which no other can;
// its split then draws a number and sets txn.service.
type ruleLines struct{ lines []string }

func (w *ruleLines) add(format string, a ...any) {
	w.lines = append(w.lines, fmt.Sprintf(format, a...))
}

func linesOfRules(list []ruled) []string {
	var w ruleLines
	for i, s := range list {
		for j, r := range s.rules {
			w.match(s.service, fmt.Sprintf("r%d_%d", i, j), r)
		}
	}
	for i, s := range list {
		for j, r := range s.rules {
			w.split(fmt.Sprintf("r%d_%d", i, j), r.Split)
		}
	}
	return w.lines
}

func (w *ruleLines) match(service, id string, r registry.Rule) {
	when := "{ var(txn.service) -m str " + service + " } !{ var(txn.rule) -m found }"
	if prefix := strings.TrimSuffix(r.PathPrefix, "/"); prefix != "" {
		w.add("acl %s_path path -m str %s", id, quote(prefix))
		w.add("acl %s_path path -m beg %s", id, quote(prefix+"/"))
		when += " " + id + "_path"
	}
	if r.Header.Name != "" {
		w.add("acl %s_header req.fhdr(%s) -m str -- %s", id, r.Header.Name, quote(r.Header.Value))
		when += " " + id + "_header"
	}
	w.add("http-request set-var(txn.rule) str(%s) if %s", id, when)
}

// split goes through the shares from the last to the first, so that of all
// that are above the number drawn the first one stays.
func (w *ruleLines) split(id string, shares []registry.Share) {
	matched := "{ var(txn.rule) -m str " + id + " }"
	sum := 0
	for _, s := range shares {
		sum += s.Weight
	}
	w.add("http-request set-var(txn.draw) rand(%d) if %s", sum, matched)
	for i := len(shares) - 1; i >= 0; i-- {
		if shares[i].Weight > 0 {
			w.add("http-request set-var(txn.service) str(%s) if %s { var(txn.draw) -m int lt %d }", shares[i].Service, matched, sum)
		}
		sum -= shares[i].Weight
	}
}
