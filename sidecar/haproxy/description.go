package haproxy

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fairlead.dev/registry"
)

// A description tells what a HAProxy was made from. It has it in its
// configuration, and tells it whoever asks:
//
//	fairlead realm=local addr=127.0.0.1:4000 slots=64 structure=0f… rules=identity:9a…
type description struct {
	realm string
	// folder has the socket to which requests are handed over, if it is not
	// where HAProxy works: so HAProxy is of one sidecar alone.
	folder string
	// doors are those of describe.
	doors string
	slots int
	// rest is a sum of all else but rules, which have a sum each, by service.
	rest  string
	rules map[string]string
}

// descriptionPrefix begins the description by which a running haproxy of ours
// is known.
const descriptionPrefix = "fairlead"

// maxSlots is more than any HAProxy has, and few enough to be written.
const maxSlots = 1 << 20

// Realm, data and rules are not in those of older versions.
var descriptionForm = regexp.MustCompile(`^` + descriptionPrefix + `(?: realm=(\S*))?(?: data=(\S*))? addr=(\S*) slots=(\d+) structure=([0-9a-f]+)(?: rules=(\S*))?$`)

func readDescription(text string) (d description, ok bool) {
	form := descriptionForm.FindStringSubmatch(text)
	if form == nil {
		return d, false
	}
	slots, err := strconv.Atoi(form[4])
	folder, badFolder := url.PathUnescape(form[2])
	d = description{realm: form[1], folder: folder, doors: form[3], slots: slots, rest: form[5], rules: map[string]string{}}
	for word := range strings.SplitSeq(form[6], ";") {
		service, sum, _ := strings.Cut(word, ":")
		// They may become entries of the map.
		if registry.ValidateName("service", service) == nil {
			d.rules[service] = sum
		}
	}
	return d, err == nil && slots <= maxSlots && badFolder == nil
}

// description tells what a HAProxy with the structure is made from.
func (s structure) description() string {
	rules := sumsOf(s.rules)
	words := make([]string, 0, len(rules))
	for _, service := range slices.Sorted(maps.Keys(rules)) {
		words = append(words, service+":"+rules[service])
	}
	data := ""
	if s.at.folder != "" {
		data = " data=" + (&url.URL{Path: s.at.folder}).EscapedPath()
	}
	return fmt.Sprintf("%s realm=%s%s addr=%s slots=%d structure=%s rules=%s", descriptionPrefix, s.realm, data, describe(s.doors), s.slots, s.rest(), strings.Join(words, ";"))
}

// rest is a sum of all that a description does not say.
func (s structure) rest() string {
	s.slots, s.rules = 0, nil
	return sumOf("%+v %s %s %s", s, configText, hopScript, peculiar)
}

func sumsOf(list []ruled) map[string]string {
	sums := make(map[string]string, len(list))
	for _, s := range list {
		sums[s.service] = sumOf("%+v", s.rules)
	}
	return sums
}

func sumOf(format string, a ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, a...))
	return fmt.Sprintf("%x", sum[:6])
}

// stale returns the services for which HAProxy has other rules than these.
func (d description) stale(rules []ruled) map[string]bool {
	wanted, set := sumsOf(rules), map[string]bool{}
	for service, sum := range wanted {
		if d.rules[service] != sum {
			set[service] = true
		}
	}
	for service := range d.rules {
		if wanted[service] == "" {
			set[service] = true
		}
	}
	return set
}
