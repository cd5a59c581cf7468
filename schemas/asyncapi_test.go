package schemas_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"fairlead.dev/schemas"
)

// The document is written with one key a line and two spaces a level, so its
// keys can be read without a YAML parser: each becomes a path like
// "/components/messages/InstanceEvicted".
func keyPaths(t *testing.T) map[string]string {
	t.Helper()
	key := regexp.MustCompile(`^( *)([A-Za-z$][\w$-]*):(?: (.*))?$`)
	values := map[string]string{}
	var path []string
	for line := range strings.Lines(string(schemas.AsyncAPI())) {
		match := key.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if match == nil {
			continue
		}
		depth := len(match[1]) / 2
		if depth > len(path) {
			continue
		}
		path = append(path[:depth:depth], match[2])
		values["/"+strings.Join(path, "/")] = match[3]
	}
	return values
}

func TestAsyncAPIHasEveryEventType(t *testing.T) {
	values := keyPaths(t)
	forEachType(t, func(t *testing.T, typ schemas.Type) {
		message := camel(typ.Token())
		want := map[string]string{
			"/components/messages/" + message + "/name":                string(typ),
			"/components/messages/" + message + "/payload/schema/$ref": "'./events/" + typ.SchemaFile() + "'",
			"/channels/events/messages/" + message + "/$ref":           "'#/components/messages/" + message + "'",
			"/channels/feed/messages/" + message + "/$ref":             "'#/components/messages/" + message + "'",
		}
		for path, value := range want {
			if got := values[path]; got != value {
				t.Errorf("%s is %q, want %q", path, got, value)
			}
		}
	})
}

// camel makes InstanceStatusChanged of instance.status-changed.
func camel(token string) string {
	var name strings.Builder
	for _, word := range strings.FieldsFunc(token, func(r rune) bool { return r == '.' || r == '-' }) {
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

func TestAsyncAPIReferencesResolve(t *testing.T) {
	values := keyPaths(t)
	references := regexp.MustCompile(`\$ref: '([^'#]*)(#[^']*)?'`).FindAllStringSubmatch(string(schemas.AsyncAPI()), -1)
	if len(references) == 0 {
		t.Fatal("found no reference")
	}
	for _, ref := range references {
		file, pointer := ref[1], strings.TrimPrefix(ref[2], "#")
		if err := resolve(values, file, pointer); err != nil {
			t.Errorf("%s: %v", ref[0], err)
		}
	}
}

func resolve(values map[string]string, file, pointer string) error {
	if file == "" {
		if _, ok := values[pointer]; !ok {
			return fmt.Errorf("the document has no %s", pointer)
		}
		return nil
	}
	text, err := fs.ReadFile(schemas.Files(), strings.TrimPrefix(file, "./events/"))
	if err != nil {
		return err
	}
	var at any
	if err := json.Unmarshal(text, &at); err != nil {
		return err
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		object, _ := at.(map[string]any)
		if at = object[part]; pointer != "" && at == nil {
			return fmt.Errorf("%s has no %s", file, part)
		}
	}
	return nil
}
