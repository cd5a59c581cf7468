package haproxy

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed config.cfg.tmpl
var configText string

//go:embed hop.lua
var hopScript string

var configTemplate = template.Must(template.New("haproxy.cfg").Parse(configText))

// A structure is what takes a reload to change.
type structure struct {
	realm   string
	doors   []Door // as listened on, the plane's own address first
	maxConn int    // of all doors
	most    int    // of each
	slots   int
	hosts   []string
	// realms may be named by host besides realm; others passes what is no
	// service.
	realms []string
	others bool
	rules  []ruled
	at     place
}

// A place is where the files and the socket of a HAProxy are that somebody else
// runs. It is empty for one that is started here, which works in its folder.
type place struct{ folder, socket string }

// A page is what the template is given.
type page struct {
	Description            string
	Folder, Socket, Aside  string
	UID, GID               int
	Owner                  string
	Fronts                 []front
	MaxConn                int
	OwnHost, Trusted       string
	ServiceHost, RealmHost string
	AnyServiceHost, Name   string
	Others, Peculiar       string
	PeculiarRead           string
	Ruled                  []string
	Rules                  []string
	Errors, Endings        []string
	AsideFailure           string
	Slots                  []slotLines
}

type slotLines struct {
	Name    string
	Servers []serverLine
}

type serverLine struct {
	Name     string
	Addr     netip.AddrPort
	Weight   int
	Disabled bool
}

// render returns the configuration and the map for a start with these farms in
// these slots.
func render(s structure, farms []*farm, slots map[string]string, seen bool) (config, entries []byte, err error) {
	lines := make([]slotLines, s.slots)
	for i := range lines {
		lines[i].Name = slotName(i)
	}
	for _, f := range farms {
		if f.aside && slots[f.service] == "" {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(slots[f.service], "s%d", &n); err != nil || n >= s.slots {
			return nil, nil, fmt.Errorf("render haproxy's configuration: service %s has no slot", f.service)
		}
		lines[n].Servers = linesOf(f)
	}
	var b bytes.Buffer
	if err := configTemplate.Execute(&b, s.page(lines)); err != nil {
		return nil, nil, fmt.Errorf("render haproxy's configuration: %w", err)
	}
	return b.Bytes(), renderMap(farms, slots, seen), nil
}

func linesOf(f *farm) []serverLine {
	lines := make([]serverLine, len(f.servers))
	for i, s := range f.servers {
		lines[i] = serverLine{Name: s.name, Addr: s.addr, Weight: s.weight, Disabled: s.mode != ready}
	}
	return lines
}

func renderMap(farms []*farm, slots map[string]string, seen bool) []byte {
	entries := make(map[string]string, len(farms)+1)
	for _, f := range farms {
		entries[f.service] = f.entry(slots[f.service])
	}
	if seen {
		entries[seenKey] = "-"
	}
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		fmt.Fprintf(&b, "%s %s\n", key, entries[key])
	}
	return b.Bytes()
}

func (s structure) page(slots []slotLines) page {
	own := `|[0-9.]+|\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f:.]*|localhost|.*\.localhost`
	for _, host := range s.hosts {
		own += "|" + regexp.QuoteMeta(host)
	}
	p := page{
		Description: s.description(), Socket: "unix@" + runtimeSock, Aside: "unix@" + asideSock,
		Fronts: s.fronts(), MaxConn: s.maxConn, Slots: slots,
		OwnHost:        quote("^(" + own + ")$"),
		Trusted:        quote(`^(` + own + `|[^.]*|.*\.(service|internal|local))$`),
		ServiceHost:    quote(`^[^.]*(\.` + regexp.QuoteMeta(s.realm) + `)?` + domain + `$`),
		RealmHost:      quote(`^[^.]*\.[^.]+` + domain + `$`),
		AnyServiceHost: quote(domain + `$`),
		Name:           quote(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`),
		Others:         quote(`^(?!(close|keep-alive|upgrade)$)`),
		Peculiar:       quote(peculiar), PeculiarRead: quote(peculiar + `|^content-length:`), Ruled: namesOf(s.rules),
		Errors: texts(failures()), Endings: texts(endings(s.allRealms())),
		AsideFailure: asideFailure().text(), Rules: linesOfRules(s.rules),
	}
	if s.at != (place{}) {
		s.at.fill(&p)
	}
	return p
}

// fill says where everything is for a HAProxy that works anywhere. It shall not
// be another user than the sidecar, which alone may use the sockets.
func (at place) fill(p *page) {
	p.Folder, p.Socket = quote(at.folder), quote("unix@"+at.socket)
	p.Aside = quote("unix@" + filepath.Join(at.folder, asideSock))
	p.UID, p.GID, p.Owner = os.Getuid(), os.Getgid(), owner()
}

// owner is what has sockets belong to the sidecar's user, whoever binds them.
func owner() string {
	if os.Getuid() == 0 {
		return ""
	}
	return fmt.Sprintf(" uid %d gid %d", os.Getuid(), os.Getgid())
}

// peculiar matches the headers of requests that need a closer look: another
// host than this one, or none, two services, fields that are not passed on as
// they are, and NUL. HAProxy gives the names in lower case, a line each.
const peculiar = `(?im)\x00` +
	`|^host:(?! (127\.0\.0\.1|localhost|\[::1\]):)|\A(?!(?s:.*)^host:)` +
	`|^fairlead-service:(?s:.*)^fairlead-service:` +
	`|^connection:(?! (close|keep-alive)\r?$)` +
	`|^(fairlead-route|forwarded|keep-alive|transfer-encoding|upgrade|via|proxy-[^:]*|x-forwarded-[^:]*):`

// A front is a section for one door.
type front struct {
	Name, Bind, Service  string
	MaxConn              int
	Refusals, HandedOver []string
}

// mainFront is that of the plane's own address.
const mainFront = "fairlead"

func (s structure) fronts() []front {
	list := make([]front, len(s.doors))
	for i, d := range s.doors {
		list[i] = front{
			Name: mainFront, Bind: s.bind(i), Service: d.Service, MaxConn: s.most,
			Refusals: texts(refusals(s.others)), HandedOver: s.handedOver(),
		}
		if i > 0 {
			list[i].Name = fmt.Sprintf("door%d", i)
		}
		if d.Service != "" {
			list[i].Refusals, list[i].HandedOver = texts(refusalsOfService()), []string{routed, carriedAside}
		}
	}
	return list
}

// bind is what a front listens on: what it inherits, or the door's own address
// if somebody else starts HAProxy.
func (s structure) bind(i int) string {
	d := s.doors[i]
	switch {
	case s.at == (place{}):
		return inherited(i)
	case d.Network == "unix":
		return quote("unix@"+d.Address) + owner() + " mode 660"
	}
	return quote(d.Address)
}

const (
	// routed is the condition of requests that name an instance.
	routed = "{ req.fhdr(fairlead-route) -m found }"
	// carriedAside is that of requests for services which HAProxy cannot carry.
	carriedAside = "{ var(txn.slot) -m beg a }"
)

// allRealms are those that requests may name, for people.
func (s structure) allRealms() string {
	return strings.Join(append([]string{s.realm}, s.realms...), ", ")
}

// handedOver are the conditions of requests that go to the sidecar as they came.
func (s structure) handedOver() []string {
	conditions := []string{
		routed, carriedAside,
		"!named !absolute own_host",
	}
	if len(s.realms) > 0 {
		foreign := quote(`^[^.]*\.(` + strings.Join(s.realms, "|") + `)` + domain + `$`)
		conditions = append(conditions, "!named { var(txn.host) -m reg "+foreign+" }")
	}
	if s.others {
		conditions = append(conditions, "METH_CONNECT", "!named absolute !of_services")
	}
	return conditions
}

// domain is that of services.
const domain = `\.service(\.internal)?`

// quote makes a text one word of the configuration. Within single quotes
// nothing has a meaning but the quote itself; a newline would end the line.
func quote(text string) string {
	text = strings.ReplaceAll(text, "\n", "")
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
