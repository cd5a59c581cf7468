// Package schemas says what events mean: the types of CloudEvents that the
// platform publishes, a Go struct for the data of each, and the JSON Schemas
// and the AsyncAPI document for readers in other languages. It is pure, and
// imports nothing but the standard library.
//
// Every change of the registry's state is one event. A writer fills in a
// struct, which knows its own type and scope:
//
//	data := schemas.InstanceEvicted{
//		AboutInstance: schemas.AboutInstance{
//			AboutService: schemas.AboutService{Realm: "local", Service: "identity"},
//			Instance:     "host001-5000",
//			Revision:     schemas.Revision{Epoch: "3f9c", Sequence: 17},
//		},
//		Cause: "connection refused",
//	}
//	data.EventType()         // dev.fairlead.instance.evicted.v1
//	data.EventType().Token() // instance.evicted, the end of its subject
//	data.Scope()             // local, identity
//
// A reader asks a type for an empty value and decodes into it:
//
//	data, err := schemas.Type(event.Type()).NewData()
//	err = json.Unmarshal(event.Data(), data)
//
// When something happened is the CloudEvent's time, and in what order is told
// by the revision alone. Fields may be added to a version 1 type, so readers
// ignore those they do not know; anything else needs a version 2 beside it.
package schemas
