package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

// slowRoundTrip is worth a warning: heartbeats come every two seconds.
const slowRoundTrip = 250 * time.Millisecond

func examineConnection(session *connect.Session) diagnosis {
	address := session.Bus().NATS().ConnectedUrlRedacted()
	rtt, err := session.Bus().NATS().RTT()
	if err != nil {
		return diagnosis{"bus", isFail, fmt.Sprintf("%s: %v", address, err), "the bus accepts connections but does not answer: look at its log"}
	}
	d := diagnosis{Check: "bus", Status: isOK, Detail: fmt.Sprintf("%s, round trip %.2f ms", address, rtt.Seconds()*1000)}
	if rtt > slowRoundTrip {
		d.Status, d.Hint = isWarn, "the bus is slow or far away"
	}
	return d
}

// examineRegistry asks Atlas how it stands, and whether what it sends is what
// it says it is.
func examineRegistry(ctx context.Context, session *connect.Session) []diagnosis {
	status, err := session.Atlas().Status(ctx, session.Realm())
	if err != nil {
		return []diagnosis{{"registry", isFail, err.Error(), "the bus is there but Atlas is not: is a `fairlead server` or `fairlead up` running on it?"}}
	}
	checks := []diagnosis{judgeRegistry(status)}
	checks = append(checks, judgeNodes(status)...)
	checks = append(checks, judgeStorage(status)...)
	checks = append(checks, judgeRealm(session.Realm(), status))
	checks = append(checks, judgeHeld(status.Realms[session.Realm()].Held)...)
	checks = append(checks, judgeCopies(status.Copies)...)
	checks = append(checks, judgeWaiting(session.Realm(), status)...)
	checks = append(checks, judgeQuarantine(status)...)
	if status.Realms[session.Realm()].Instances == 0 {
		return checks // an empty realm has no digest
	}
	return append(checks, examineTable(ctx, session)...)
}

func judgeRegistry(s protocol.StatusReply) diagnosis {
	d := diagnosis{Check: "registry", Status: isOK, Detail: fmt.Sprintf("revision %s, %s", s.Revision, counted(len(s.Realms), "realm"))}
	if s.Settling {
		d.Status, d.Hint = isWarn, "Atlas has just started, was not running for a while, or had its clock set: it judges no lease yet; wait a few seconds"
	}
	return d
}

// judgeNodes tells who is there, who leads, and how far each of them is.
func judgeNodes(s protocol.StatusReply) []diagnosis {
	if len(s.Nodes) == 0 {
		return nil // a registry of an earlier version
	}
	var names []string
	d := diagnosis{Check: "nodes", Status: isOK}
	leader := slices.IndexFunc(s.Nodes, func(n protocol.NodeStatus) bool { return n.Leads })
	for _, n := range s.Nodes {
		names = append(names, describeNode(n))
		if leader >= 0 && n.Revision.Epoch != s.Nodes[leader].Revision.Epoch || !n.Able {
			d.Status, d.Hint = isWarn, "a node does not reach the registry's storage, or is behind it: look at its log"
		}
	}
	if leader < 0 {
		d.Status, d.Hint = isWarn, "no node leads: if it stays so, the registry's storage does not answer, and nothing can be registered"
	}
	d.Detail = fmt.Sprintf("%s: %s", counted(len(s.Nodes), "node"), few(names))
	return []diagnosis{d}
}

func describeNode(n protocol.NodeStatus) string {
	words := fmt.Sprintf("%s at %d", n.Node, n.Revision.Sequence)
	switch {
	case n.Leads:
		words += " leads"
	case !n.Able:
		words += " cannot lead"
	case n.Settling:
		words += " is settling"
	}
	return words
}

// judgeStorage has a line for each node that cannot write, whatever the others
// can: its disk is full, and somebody has to make room.
func judgeStorage(s protocol.StatusReply) []diagnosis {
	var all []diagnosis
	for _, n := range s.Nodes {
		if n.Storage != "" {
			all = append(all, diagnosis{"storage", isFail, n.Node + ": " + n.Storage,
				"make room, or mend the disk of the data directory; it goes on by itself then. Until then nothing changes that this node would have to store"})
		}
	}
	return all
}

func judgeRealm(realm string, s protocol.StatusReply) diagnosis {
	r := s.Realms[realm]
	d := diagnosis{Check: "realm", Status: isOK, Detail: fmt.Sprintf("%s: %s, %s%s, %d disabled",
		realm, counted(r.Services, "service"), counted(r.Instances, "instance"), statusCounts(r), r.Disabled)}
	switch {
	case r.Instances == 0:
		d.Status, d.Hint = isWarn, "nothing is registered here; --realm names another realm"
	case r.Statuses[registry.Suspect]+r.Statuses[registry.Critical] > 0:
		d.Status, d.Hint = isWarn, "`fairlead instances` tells which are suspect or critical"
	}
	return d
}

func statusCounts(r protocol.RealmStatus) string {
	var parts []string
	for _, status := range []registry.Status{registry.Passing, registry.Warning, registry.Critical, registry.Suspect, registry.Draining} {
		if n := r.Statuses[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// judgeQuarantine has a line for each key that makes no sense. It is no
// failure: an instance's last good value is in force.
func judgeQuarantine(s protocol.StatusReply) []diagnosis {
	var all []diagnosis
	for _, key := range slices.Sorted(maps.Keys(s.Quarantined)) {
		hint := "delete it: nats --context " + contextName + " kv del atlas " + key
		if isInstanceKey(key) {
			hint = "the last good value is in force; put a right one there, or " + hint
		}
		all = append(all, diagnosis{"quarantine", isWarn, key + ": " + s.Quarantined[key], hint})
	}
	return all
}

// isInstanceKey tells whether a key of the bucket is about an instance, be it
// its registration or an override.
func isInstanceKey(key string) bool {
	parts := strings.Split(key, ".")
	if len(parts) < 4 || parts[0] != "hosts" {
		return false
	}
	k := registry.Key{Realm: parts[1], Service: parts[2], Instance: parts[3]}
	known := len(parts) == 4 || len(parts) == 5 && slices.Contains([]string{"enabled", "weight", "drain"}, parts[4])
	return known && k.Validate() == nil
}

// mostNames bounds what one line lists.
const mostNames = 10

func few(names []string) string {
	if more := len(names) - mostNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// judgeHeld tells what stays listed though it is silent.
func judgeHeld(held *protocol.HeldEvictions) []diagnosis {
	if held == nil {
		return nil
	}
	var names []string
	for _, k := range held.Some {
		names = append(names, k.Service+"/"+k.Instance)
	}
	detail := fmt.Sprintf("%s held back since %s, because too many fell silent at once: %s",
		counted(held.Count, "eviction"), held.Since.Format(time.RFC3339), few(names))
	return []diagnosis{{"evictions", isWarn, detail, "is Atlas cut off from these hosts? If they are gone for good, delete their registrations"}}
}

// judgeWaiting tells of overrides without an instance: perhaps the name was
// mistyped, or the instance will be missed when it comes back.
func judgeWaiting(realm string, s protocol.StatusReply) []diagnosis {
	n := s.Realms[realm].Waiting
	if n == 0 {
		return nil
	}
	var names []string
	for _, o := range s.Waiting {
		if o.Realm == realm {
			names = append(names, o.Service+"/"+o.Instance+" "+o.Means)
		}
	}
	detail := counted(n, "override") + " of instances that are not registered: " + few(names)
	return []diagnosis{{"overrides", isWarn, detail, "they will hold for whoever registers so; take them away by `enable --clear`, `drain --off` or `weight --clear`"}}
}

// judgeServices tells of services nobody can use, or not well.
func judgeServices(snap registry.Snapshot) []diagnosis {
	var names []string
	for _, service := range snap.Services {
		if len(service.Instances) > 0 && !slices.ContainsFunc(service.Instances, isFit) {
			names = append(names, fmt.Sprintf("%s (%s)", service.Name, counted(len(service.Instances), "instance")))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []diagnosis{{"services", isWarn, "no instance is enabled and well: " + few(names), "`fairlead instances` tells which are disabled, draining, critical or suspect"}}
}

func isFit(in registry.Instance) bool {
	return in.Usable() && in.Status != registry.Critical && in.Status != registry.Suspect
}

// examineTable asks for a table and waits for the registry's next digest of
// the same revision.
func examineTable(ctx context.Context, session *connect.Session) []diagnosis {
	interest := registry.Interest{Realm: session.Realm()}
	digests := make(chan registry.Digest, 8)
	stop, err := session.Atlas().Listen(interest, func(u registry.Update) {
		if u.Digest != nil && len(digests) < cap(digests) {
			digests <- *u.Digest
		}
	})
	if err != nil {
		return []diagnosis{{"table", isFail, err.Error(), "changes cannot be listened to: look at the bus's permissions"}}
	}
	defer stop()
	for {
		select {
		case digest := <-digests:
			snap, err := session.Atlas().Snapshot(ctx, interest)
			if err != nil {
				return []diagnosis{{"table", isFail, err.Error(), "look at Atlas's log"}}
			}
			if d, sure := judgeTable(snap, digest); sure {
				return append(judgeServices(snap), d)
			}
		case <-ctx.Done():
			return []diagnosis{{"table", isWarn, "no digest came for a revision that stood still", "try again, or with a longer --timeout"}}
		}
	}
}

// judgeTable compares a snapshot with a digest. They say nothing of each other
// unless they are of the same revision.
func judgeTable(snap registry.Snapshot, digest registry.Digest) (d diagnosis, sure bool) {
	table := snap.Table()
	if digest.Epoch != snap.Revision.Epoch || digest.Revision != snap.Revision.Sequence {
		return d, false
	}
	d = diagnosis{Check: "table", Status: isOK, Detail: counted(table.Len(), "instance") + ", as the registry's digest says"}
	switch hash := registry.FormatHash(table.Hash()); {
	case !strings.HasPrefix(digest.Hash, registry.HashVersion):
		d = diagnosis{"table", isWarn, "the digest " + digest.Hash + " is of another version", "this command and the registry are of different versions"}
	case hash != digest.Hash:
		d = diagnosis{"table", isFail, fmt.Sprintf("the snapshot's hash is %s, the digest's %s", hash, digest.Hash), "restart Atlas; if it stays so, this is a defect worth reporting"}
	}
	return d, true
}

func (s *settings) examineBridge(ctx context.Context, timeout *span, address string) diagnosis {
	trust, err := s.trust().TLSConfig()
	if err != nil {
		return diagnosis{"bridge", isFail, err.Error(), "--credentials and --ca name whom to trust"}
	}
	resp, body, err := get(ctx, timeout, s.bridgeScheme()+address+"/health", trust)
	if err != nil {
		return unreachable("bridge", address, err, "--http-addr names another address")
	}
	var health struct{ Status, Output string }
	if err := json.Unmarshal(body, &health); err != nil {
		return diagnosis{"bridge", isFail, fmt.Sprintf("%s answers %s, which is no health", address, resp.Status), "something else may listen there"}
	}
	d := diagnosis{Check: "bridge", Status: isOK, Detail: strings.TrimSpace(fmt.Sprintf("%s: %s %s", address, health.Status, health.Output))}
	switch {
	case health.Status == "warn":
		d.Status, d.Hint = isWarn, "it answers, from a table that may be old"
	case health.Status != "pass":
		d.Status, d.Hint = isFail, "look at its log"
	}
	return d
}

// examineSidecar asks a sidecar what it tells of itself.
func examineSidecar(ctx context.Context, timeout *span, address string) diagnosis {
	report, err := askSidecar(ctx, timeout, address)
	switch {
	case errors.Is(err, registry.ErrUnavailable):
		return unreachable("sidecar", address, err, "--sidecar-addr names another address")
	case err != nil:
		return diagnosis{"sidecar", isFail, err.Error(), "something else may listen there"}
	}
	return judgeSidecar(address, report)
}

func judgeSidecar(address string, r sidecarReport) diagnosis {
	d := diagnosis{Check: "sidecar", Status: isOK, Detail: address + ": carries the table"}
	var complaints []string
	if r.Plane.Warning != "" {
		d.Status, complaints = isWarn, append(complaints, r.Plane.Warning)
	}
	for _, e := range r.Attended {
		if e.Problem != "" {
			d.Status, complaints = isWarn, append(complaints, e.File+": "+e.Problem)
		}
	}
	if len(r.Problems) > 0 {
		d.Status, complaints = isFail, append(slices.Clone(r.Problems), complaints...)
	}
	if d.Status != isOK {
		d.Detail, d.Hint = address+": "+strings.Join(complaints, "; "), "fairlead sidecar status --addr "+address+" tells more"
	}
	return d
}

// unreachable is no failure where nobody listens: not every host has one.
func unreachable(check, address string, err error, hint string) diagnosis {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return diagnosis{check, isWarn, address + ": nobody listens there", hint}
	}
	return diagnosis{check, isFail, fmt.Sprintf("%s: %v", address, err), hint}
}

// get asks directly, whatever proxy the environment names.
func get(ctx context.Context, timeout *span, url string, trust *tls.Config) (*http.Response, []byte, error) {
	ctx, cancel := timeout.bound(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, body, err
}
