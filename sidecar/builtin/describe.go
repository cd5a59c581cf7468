package builtin

import "fairlead.dev/sidecar"

// Describe tells of the plane in the words that all data planes share. It never
// reloads: a table is one pointer.
func (*Plane) Describe() sidecar.PlaneStatus { return sidecar.PlaneStatus{Kind: "builtin"} }
