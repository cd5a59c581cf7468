package roster

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"fairlead.dev/registry"
	"fairlead.dev/sidecar/attend"
)

// tagsKey is where the tags are in an instance's metadata.
const tagsKey = "tags"

// A Problem is what is wrong with a file.
type Problem struct {
	// Line counts from 1; 0 is the file as a whole.
	Line int `json:"line,omitempty"`
	// Field is the path of what is wrong, such as check.interval.
	Field   string `json:"field,omitempty"`
	Problem string `json:"problem"`
}

func (p *Problem) Error() string {
	text := p.Problem
	if p.Field != "" {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// A declaration is a file that is being read.
type declaration struct {
	spec attend.Spec
	tags []string
	// lines are where the fields stand, by path.
	lines map[string]int
}

// parse reads one file. The error is the [Problem] that comes first in it.
func parse(text []byte, realm string) (attend.Spec, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return attend.Spec{}, syntaxProblem(err)
	}
	if len(document.Content) == 0 {
		return attend.Spec{}, &Problem{Problem: "is empty, must declare a service by name and port"}
	}
	d := &declaration{lines: map[string]int{}}
	if err := d.read("", document.Content[0], d.fields()); err != nil {
		return attend.Spec{}, err
	}
	return d.complete(realm)
}

// syntax is how the library says where it gave up.
var syntax = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

func syntaxProblem(err error) *Problem {
	parts := syntax.FindStringSubmatch(err.Error())
	if parts == nil {
		return &Problem{Problem: "must be YAML: " + err.Error()}
	}
	line, _ := strconv.Atoi(parts[1]) // 0 is the whole file
	return &Problem{Line: line, Problem: "must be YAML: " + parts[2]}
}

// fields are all there are. A nested table stands for a mapping.
func (d *declaration) fields() map[string]any {
	reg, check := &d.spec.Registration, &d.spec.Check
	return map[string]any{
		"name": text(&d.spec.Key.Service), "instance": text(&d.spec.Key.Instance),
		"host": text(&reg.Host), "port": number(&reg.Port), "scheme": text(&reg.Scheme),
		"health": text(&reg.Health), "version": text(&reg.Version), "zone": text(&reg.Zone),
		"weight": number(&reg.Weight), "metadata": pairs(&reg.Metadata), "tags": list(&d.tags),
		"check": map[string]any{
			"command": list(&check.Command), "interval": duration(&check.Interval), "timeout": duration(&check.Timeout),
			"rise": number(&check.Rise), "fall": number(&check.Fall),
		},
	}
}

// read fills in the fields of a mapping, strictly: each is known and there once.
func (d *declaration) read(prefix string, node *yaml.Node, fields map[string]any) error {
	if node.Kind != yaml.MappingNode {
		return &Problem{node.Line, strings.TrimSuffix(prefix, "."), "must be a mapping of fields to values"}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if err := d.readField(prefix, node.Content[i], node.Content[i+1], fields); err != nil {
			return err
		}
	}
	return nil
}

func (d *declaration) readField(prefix string, key, value *yaml.Node, fields map[string]any) error {
	path := prefix + key.Value
	field, known := fields[key.Value]
	_, twice := d.lines[path]
	switch {
	case !known:
		return &Problem{key.Line, path, "is no field of a service"}
	case twice:
		return &Problem{key.Line, path, "must be given once"}
	}
	d.lines[path] = key.Line
	if nested, ok := field.(map[string]any); ok {
		return d.read(path+".", value, nested)
	}
	if expected := field.(reader)(value); expected != "" {
		return &Problem{value.Line, path, "must be " + expected}
	}
	return nil
}

// A reader takes a value over, or says what was expected.
type reader func(*yaml.Node) (expected string)

func text(into *string) reader {
	return func(n *yaml.Node) string {
		// As it is written: version: 1.10 is not the number 1.1.
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
			return "a text"
		}
		*into = n.Value
		return ""
	}
}

func number(into *int) reader {
	return func(n *yaml.Node) string {
		value, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || value < 1 {
			return "a whole number above 0"
		}
		*into = value
		return ""
	}
}

func duration(into *time.Duration) reader {
	return func(n *yaml.Node) string {
		value, err := time.ParseDuration(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || value <= 0 {
			return "a duration such as 2s or 500ms"
		}
		*into = value
		return ""
	}
}

func list(into *[]string) reader {
	return func(n *yaml.Node) string {
		if n.Kind != yaml.SequenceNode || len(n.Content) == 0 || n.Decode(into) != nil {
			return "a list of texts such as [a, b]"
		}
		return ""
	}
}

func pairs(into *map[string]string) reader {
	return func(n *yaml.Node) string {
		if n.Kind != yaml.MappingNode || n.Decode(into) != nil {
			return "a mapping of names to texts"
		}
		return ""
	}
}

// complete fills in what the file leaves open, and judges the whole.
func (d *declaration) complete(realm string) (attend.Spec, error) {
	spec := &d.spec
	for _, field := range []string{"name", "port"} {
		if _, given := d.lines[field]; !given {
			return attend.Spec{}, &Problem{Field: field, Problem: "must be given"}
		}
	}
	if err := d.addTags(); err != nil {
		return attend.Spec{}, err
	}
	spec.Key.Realm = realm
	if spec.Registration.Host == "" {
		spec.Registration.Host = "127.0.0.1"
	}
	if spec.Key.Instance == "" {
		host, _ := os.Hostname() // a host without a name has a stand-in
		spec.Key.Instance = registry.InstanceID(host, spec.Registration.Port)
	}
	*spec = spec.WithDefaults()
	return *spec, d.locate(spec.Validate())
}

func (d *declaration) addTags() error {
	if len(d.tags) == 0 {
		return nil
	}
	for _, tag := range d.tags {
		if tag == "" || strings.Contains(tag, ",") {
			return &Problem{d.lines[tagsKey], tagsKey, fmt.Sprintf("must be texts without a comma, got %q", tag)}
		}
	}
	metadata := &d.spec.Registration.Metadata
	if _, taken := (*metadata)[tagsKey]; taken {
		return &Problem{d.lines[tagsKey], tagsKey, "must not be in the metadata too"}
	}
	if *metadata == nil {
		*metadata = map[string]string{}
	}
	(*metadata)[tagsKey] = strings.Join(d.tags, ",")
	return nil
}

// locate turns the first field error into a problem of the file.
func (d *declaration) locate(err error) error {
	var fields registry.FieldErrors
	if !errors.As(err, &fields) {
		return err
	}
	field := fields[0].Field
	if field == "service" {
		field = "name"
	}
	return &Problem{d.lineOf(field), field, fields[0].Problem}
}

// lineOf finds a field, or else what it is part of.
func (d *declaration) lineOf(path string) int {
	for {
		if line, ok := d.lines[path]; ok {
			return line
		}
		end := strings.LastIndexByte(path, '.')
		if end < 0 {
			return 0
		}
		path = path[:end]
	}
}
