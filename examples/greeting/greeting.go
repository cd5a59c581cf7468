// Package greeting holds a sample service that knows nothing of Fairlead, in
// two languages, each with its standard library alone: greeting.py (Python 3)
// and greeting.mjs (Node). `fairlead run` makes it a member of a realm:
//
//	fairlead run --service greeting --port 5001 --health /health -- python3 greeting.py
//
// Both listen on 127.0.0.1 at the port in FAIRLEAD_PORT or PORT, and answer
//
//	GET /greetings/{name}   a greeting
//	GET /count              how many greetings this process has served
//	GET /health             that it is well
package greeting

import "embed"

// Sources are greeting.py and greeting.mjs, for programs that carry the
// service with them.
//
//go:embed greeting.py greeting.mjs
var Sources embed.FS
