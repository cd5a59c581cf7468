package builtin

import (
	"testing"

	"fairlead.dev/sidecar/planetest"
)

// TestSmuggling: docs/sidecar.md has the same table for people.
func TestSmuggling(t *testing.T) {
	planetest.Smuggling(t, makePlane, map[string]string{
		"Content-Length and Transfer-Encoding":             "forwarded",
		"Transfer-Encoding that is not quite chunked":      "501",
		"Transfer-Encoding in two lines":                   "501",
		"Transfer-Encoding in HTTP/1.0":                    "forwarded",
		"two Content-Lengths that differ":                  "400",
		"two Content-Lengths that agree":                   "forwarded",
		"a Content-Length with a sign":                     "400",
		"a blank before the colon":                         "400",
		"bare LF at line ends":                             "forwarded",
		"bare CR in a value":                               "400",
		"NUL in a value":                                   "400",
		"a folded line":                                    "forwarded",
		"a chunk of no size":                               "502",
		"a chunk too large to count":                       "502",
		"two Hosts":                                        "400",
		"no Host":                                          "400",
		"a blank too many in the request line":             "400",
		"framing named in Connection":                      "forwarded",
		"an upgrade to HTTP/2":                             "forwarded",
		"X-Forwarded-For made up, and named in Connection": "forwarded",
		"a header of 70 kB":                                "431",
		"a header of 200 lines":                            "431",
		"a header that never ends":                         "closed",
	})
}
