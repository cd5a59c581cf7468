package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fairlead.dev/schemas"
	"fairlead.dev/schemas/validate"
)

// schema is the part of a JSON Schema file that the tests look at.
type schema struct {
	ID         string                     `json:"$id"`
	Required   []string                   `json:"required"`
	Properties map[string]json.RawMessage `json:"properties"`
	Examples   []map[string]any           `json:"examples"`
}

func readSchema(t *testing.T, typ schemas.Type) schema {
	t.Helper()
	text, err := fs.ReadFile(schemas.Files(), typ.SchemaFile())
	if err != nil {
		t.Fatalf("schema of %s: %v", typ, err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("schema of %s: %v", typ, err)
	}
	if len(s.Examples) == 0 {
		t.Fatalf("schema of %s: expected an example", typ)
	}
	return s
}

func newValidator(t *testing.T) *validate.Validator {
	t.Helper()
	v, err := validate.New()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newData(t *testing.T, typ schemas.Type) schemas.Data {
	t.Helper()
	data, err := typ.NewData()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// roundTrip decodes into the type's struct, refusing fields that it lacks, and
// encodes that again.
func roundTrip(t *testing.T, typ schemas.Type, text []byte) []byte {
	t.Helper()
	data := newData(t, typ)
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(data); err != nil {
		t.Fatalf("decode into %T: %v", data, err)
	}
	return encode(t, data)
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

func forEachType(t *testing.T, test func(t *testing.T, typ schemas.Type)) {
	for _, typ := range schemas.Types() {
		t.Run(typ.Token(), func(t *testing.T) { test(t, typ) })
	}
}

func TestTypesAndFilesMatch(t *testing.T) {
	want := []string{"common.json"}
	for _, typ := range schemas.Types() {
		want = append(want, typ.SchemaFile())
		if got := readSchema(t, typ).ID; got != typ.SchemaURI() {
			t.Errorf("$id of %s is %q, want %q", typ, got, typ.SchemaURI())
		}
	}
	got, err := fs.Glob(schemas.Files(), "*")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("files are %v, want %v", got, want)
	}
}

func TestTypeNames(t *testing.T) {
	typ := schemas.TypeInstanceStatusChanged
	if got := typ.Token(); got != "instance.status-changed" {
		t.Errorf("token is %q", got)
	}
	if got := typ.SchemaFile(); got != "instance.status-changed.v1.json" {
		t.Errorf("file is %q", got)
	}
	if _, err := schemas.Type("dev.fairlead.nothing.v1").NewData(); err == nil {
		t.Error("an unknown type has data")
	}
}

func TestDataKnowsItsTypeAndScope(t *testing.T) {
	forEachType(t, func(t *testing.T, typ schemas.Type) {
		data := newData(t, typ)
		if got := data.EventType(); got != typ {
			t.Errorf("%T is of type %s", data, got)
		}
		example := readSchema(t, typ).Examples[0]
		if err := json.Unmarshal(encode(t, example), data); err != nil {
			t.Fatal(err)
		}
		realm, service := data.Scope()
		if realm != example["realm"] || service != example["service"] {
			t.Errorf("scope is %s/%s, want %s/%s", realm, service, example["realm"], example["service"])
		}
	})
}

// The example has every property, the struct takes them all and gives them
// back, so each field has the name and the kind that the schema says.
func TestStructsAndSchemasAgree(t *testing.T) {
	v := newValidator(t)
	forEachType(t, func(t *testing.T, typ schemas.Type) {
		s := readSchema(t, typ)
		example := encode(t, s.Examples[0])
		for name := range s.Properties {
			if _, ok := s.Examples[0][name]; !ok {
				t.Errorf("the example has no %s", name)
			}
		}
		if got := roundTrip(t, typ, example); !sameJSON(t, got, example) {
			t.Errorf("the struct turns the example into %s", got)
		}
		if err := v.Data(typ, example); err != nil {
			t.Error(err)
		}
		names, required := jsonFields(reflect.TypeOf(newData(t, typ)).Elem())
		if want := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(names, want) {
			t.Errorf("the struct has %v, the schema %v", names, want)
		}
		slices.Sort(s.Required)
		if !slices.Equal(required, s.Required) {
			t.Errorf("the struct always has %v, the schema requires %v", required, s.Required)
		}
	})
}

// jsonFields returns the names of a struct's fields as JSON has them, and
// those that are always there.
func jsonFields(typ reflect.Type) (names, required []string) {
	for _, field := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous {
			continue
		}
		names = append(names, name)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	slices.Sort(names)
	slices.Sort(required)
	return names, required
}

func TestWhatIsOptionalMayBeAbsent(t *testing.T) {
	v := newValidator(t)
	forEachType(t, func(t *testing.T, typ schemas.Type) {
		s := readSchema(t, typ)
		least := maps.Clone(s.Examples[0])
		maps.DeleteFunc(least, func(name string, _ any) bool { return !slices.Contains(s.Required, name) })
		text := encode(t, least)
		if err := v.Data(typ, text); err != nil {
			t.Error(err)
		}
		if got := roundTrip(t, typ, text); !sameJSON(t, got, text) {
			t.Errorf("the struct adds to %s: %s", text, got)
		}
	})
}

func TestUnknownFieldsAreTolerated(t *testing.T) {
	v := newValidator(t)
	forEachType(t, func(t *testing.T, typ schemas.Type) {
		newer := maps.Clone(readSchema(t, typ).Examples[0])
		newer["added_later"] = true
		if err := v.Data(typ, encode(t, newer)); err != nil {
			t.Error(err)
		}
	})
}

func TestWrongDataIsRefused(t *testing.T) {
	v := newValidator(t)
	forEachType(t, func(t *testing.T, typ schemas.Type) {
		s := readSchema(t, typ)
		for _, name := range s.Required {
			lacking := maps.Clone(s.Examples[0])
			delete(lacking, name)
			wantRefused(t, v, typ, encode(t, lacking), name)
		}
		for name := range s.Properties {
			wrong := maps.Clone(s.Examples[0])
			wrong[name] = []int{1}
			wantRefused(t, v, typ, encode(t, wrong), name)
		}
	})
}

func wantRefused(t *testing.T, v *validate.Validator, typ schemas.Type, data []byte, field string) {
	t.Helper()
	err := v.Data(typ, data)
	if err == nil {
		t.Errorf("%s passes, though its %s is wrong", data, field)
		return
	}
	if !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "\n") {
		t.Errorf("expected one line that names %s, got %q", field, err)
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	v := newValidator(t)
	tests := []struct {
		name, field string
		typ         schemas.Type
		value       any
	}{
		{"upper case", "realm", schemas.TypeInstanceEvicted, "Local"},
		{"dots", "service", schemas.TypeInstanceEvicted, "a.b"},
		{"wildcard", "instance", schemas.TypeInstanceEvicted, "*"},
		{"64 characters", "service", schemas.TypeInstanceEvicted, strings.Repeat("a", 64)},
		{"negative revision", "revision", schemas.TypeInstanceEvicted, map[string]any{"epoch": "a", "sequence": -1}},
		{"no epoch", "revision", schemas.TypeInstanceEvicted, map[string]any{"sequence": 1}},
		{"unknown status", "to", schemas.TypeInstanceStatusChanged, "fine"},
		{"port 0", "registration", schemas.TypeInstanceRegistered, map[string]any{"host": "a", "port": 0}},
		{"port 70000", "registration", schemas.TypeInstanceUpdated, map[string]any{"host": "a", "port": 70000}},
		{"no date", "until", schemas.TypeInstanceDisabled, "tomorrow"},
		{"weight 0", "weight", schemas.TypeInstanceWeightChanged, 0},
		{"negative time", "took_ms", schemas.TypeDeployFinished, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrong := maps.Clone(readSchema(t, tt.typ).Examples[0])
			wrong[tt.field] = tt.value
			wantRefused(t, v, tt.typ, encode(t, wrong), tt.field)
		})
	}
}

func TestValidatorRefusesWhatIsNoData(t *testing.T) {
	v := newValidator(t)
	if err := v.Data("dev.fairlead.nothing.v1", []byte(`{}`)); err == nil {
		t.Error("an unknown type passes")
	}
	if err := v.Data(schemas.TypeInstanceEvicted, []byte(`{`)); err == nil {
		t.Error("half an object passes")
	}
}
