package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// A reader is a curl that reads server-sent events.
type reader struct {
	*process
	read int // events
}

// An event is one of a stream.
type event struct{ name, id, data string }

func read(t *testing.T, url string, args ...string) *reader {
	t.Helper()
	command := append([]string{need(t, "curl"), "-q", "-sS", "-N", "-H", "Accept: text/event-stream"}, append(args, url)...)
	return &reader{process: start(t, "curl", nil, command...)}
}

// next waits for the next event.
func (r *reader) next(t *testing.T) event {
	t.Helper()
	var all []event
	within(t, patience, "another event comes", func() bool {
		all = events(r.said.String())
		return len(all) > r.read
	})
	r.read++
	return all[r.read-1]
}

// until waits for an event of a name whose data has all the parts.
func (r *reader) until(t *testing.T, name string, parts ...string) event {
	t.Helper()
	for {
		if e := r.next(t); e.name == name && contains(e.data, parts...) {
			return e
		}
	}
}

// events reads the complete events of a text (HTML standard, §9.2.6).
func events(text string) []event {
	var all []event
	blocks := strings.Split(text, "\n\n")
	for _, block := range blocks[:len(blocks)-1] {
		var e event
		for line := range strings.Lines(block) {
			field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch field {
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				e.data = value
			}
		}
		if e.data != "" {
			all = append(all, e)
		}
	}
	return all
}

func TestRoutesComeAsServerSentEventsAndCanBeResumed(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	s := startSite(t)
	routes := r.HTTP + "/v1/realms/local/routes"
	one, two := r.instanceURL("site", "one"), r.instanceURL("site", "two")
	register(t, 201, one, s.registration())

	first := read(t, routes)
	reset := first.next(t)
	snapshot := decode[registry.Snapshot](t, reset.data)
	if reset.name != "reset" || len(snapshot.Services) != 1 || snapshot.Services[0].Instances[0].ID != "one" || reset.id != snapshot.Revision.String() {
		t.Fatalf("it begins with %+v", reset)
	}
	expect(t, 200, "-X", "PUT", "-d", "false", one+"/enabled")
	disabled := first.until(t, "change", `"instance":"one"`, `"enabled":false`)
	first.stop()

	register(t, 201, two, s.registration())
	expect(t, 200, "-X", "PUT", "-d", "true", one+"/enabled")
	resumed := read(t, routes, "-H", "Last-Event-ID: "+disabled.id)
	if e := resumed.next(t); e.name != "change" || !contains(e.data, `"instance":"two"`) {
		t.Errorf("resumed after %s, it begins with %+v", disabled.id, e)
	}
	if e := resumed.next(t); e.name != "change" || !contains(e.data, `"instance":"one"`, `"enabled":true`) {
		t.Errorf("and goes on with %+v", e)
	}
	expect(t, 204, "-X", "DELETE", two)
	resumed.until(t, "change", `"gone":"two"`)
}

func TestATooOldEventIDGetsAReset(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	register(t, 201, r.instanceURL("site", "one"), startSite(t).registration())
	routes, now := r.HTTP+"/v1/realms/local/routes", r.revision(t)
	for name, id := range map[string]string{
		"before the history": now.Epoch + "-0",
		"from the future":    fmt.Sprintf("%s-%d", now.Epoch, now.Sequence+1000),
		"of another epoch":   fmt.Sprintf("ANOTHEREPOCH-%d", now.Sequence),
		"nonsense":           "yesterday",
	} {
		t.Run(name, func(t *testing.T) {
			e := read(t, routes, "-H", "Last-Event-ID: "+id).next(t)
			if e.name != "reset" || !contains(e.data, `"instance":"one"`) {
				t.Errorf("it begins with %+v", e)
			}
		})
	}
}

func TestAReaderThatWasAwayWithTheBridgeLearnsWhatChanged(t *testing.T) {
	t.Parallel()
	r := startRestartable(t)
	at := r.instanceURL("site", "one")
	register(t, 201, at, startSite(t).registration())
	first := read(t, r.HTTP+"/v1/realms/local/routes")
	last := first.next(t)
	r.crash()
	first.code(t) // curl ends with the stream
	r.start(t)
	expect(t, 200, "-X", "PUT", "-d", "false", at+"/enabled")
	again := read(t, r.HTTP+"/v1/realms/local/routes", "-H", "Last-Event-ID: "+last.id)
	// Whether as a change or within a reset.
	within(t, 2*time.Second, "it learns of the flag", func() bool {
		for _, e := range events(again.said.String()) {
			if contains(e.data, `"instance":"one"`, `"enabled":false`) {
				return true
			}
		}
		return false
	})
}
