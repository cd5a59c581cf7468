// Package validate checks the data of events against their JSON Schemas. It is
// for tests and tools: writers use the structs of package schemas, which need
// no check, and readers ignore what they do not know.
//
//	v, err := validate.New()
//	err = v.Data(schemas.TypeInstanceEvicted, event.Data())
package validate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"fairlead.dev/schemas"
)

// A Validator holds the compiled schemas of every event type. It may be used
// concurrently.
type Validator struct {
	schemas map[schemas.Type]*jsonschema.Schema
}

// New compiles the schemas. An error means that one of them is wrong.
func New() (*Validator, error) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.UseLoader(refuse{})
	if err := addAll(compiler, schemas.Files()); err != nil {
		return nil, err
	}
	v := &Validator{schemas: map[schemas.Type]*jsonschema.Schema{}}
	for _, t := range schemas.Types() {
		compiled, err := compiler.Compile(t.SchemaURI())
		if err != nil {
			return nil, fmt.Errorf("compile schema of %s: %w", t, err)
		}
		v.schemas[t] = compiled
	}
	return v, nil
}

func addAll(compiler *jsonschema.Compiler, files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("schema %s: %w", name, err)
		}
		return compiler.AddResource(schemas.SchemaBase+path.Base(name), doc)
	})
}

// refuse loads nothing: all schemas are given, and a reference that leads
// elsewhere is a mistake, not a reason to use the network.
type refuse struct{}

func (refuse) Load(url string) (any, error) {
	return nil, fmt.Errorf("schema %s is not one of the package's", url)
}

// Data checks the JSON of an event's data. The error is one line that names
// each field that is wrong and what was expected of it.
func (v *Validator) Data(t schemas.Type, data []byte) error {
	schema, ok := v.schemas[t]
	if !ok {
		return fmt.Errorf("event type %q: expected one of schemas.Types", string(t))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("data of %s: expected JSON: %w", t, err)
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("data of %s: %s", t, problems(err))
	}
	return nil
}

// problems puts the leaves of a validation error on one line.
func problems(err error) string {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err.Error()
	}
	printer := message.NewPrinter(language.English)
	return strings.Join(leaves(invalid, printer), "; ")
}

func leaves(e *jsonschema.ValidationError, p *message.Printer) []string {
	if len(e.Causes) == 0 {
		field := strings.Join(e.InstanceLocation, ".")
		return []string{strings.TrimPrefix(field+": ", ": ") + e.ErrorKind.LocalizedString(p)}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, leaves(cause, p)...)
	}
	return all
}
