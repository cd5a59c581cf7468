package schemas

import (
	"embed"
	"io/fs"
)

//go:embed events/*.json
var events embed.FS

//go:embed asyncapi.yaml
var asyncAPI []byte

// SchemaBase is where the schemas' identifiers begin. They are names: nothing
// needs to be fetched from there.
const SchemaBase = "https://fairlead.dev/schemas/"

// Files returns the JSON Schemas (2020-12): one file an event type, which is
// [Type.SchemaFile], and common.json, which they refer to.
func Files() fs.FS {
	// The folder is embedded, so it is there.
	files, _ := fs.Sub(events, "events")
	return files
}

// SchemaFile returns the name of the type's schema in [Files].
func (t Type) SchemaFile() string { return t.Token() + typeVersion + ".json" }

// SchemaURI returns the schema's identifier, which is the CloudEvent's
// dataschema attribute.
func (t Type) SchemaURI() string { return SchemaBase + t.SchemaFile() }

// AsyncAPI returns the AsyncAPI 3.0 document, in YAML, of everything that
// programs say and hear on the bus.
func AsyncAPI() []byte { return asyncAPI }
