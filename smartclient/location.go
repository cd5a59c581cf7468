package smartclient

import (
	"net/http"
	"strings"
)

// logical turns a redirect to the logical host that this client sent
// (http://identity/…) back into a URL that it can follow
// (service://identity/…). Services build such links from the Host header.
func logical(resp *http.Response, service string) {
	if resp.StatusCode < 300 || resp.StatusCode > 399 {
		return
	}
	if at, ok := logicalLocation(resp.Header.Get("Location"), service); ok {
		resp.Header.Set("Location", at)
	}
}

var defaultPorts = map[string]string{"http://": ":80", "https://": ":443"}

func logicalLocation(location, service string) (string, bool) {
	for prefix, port := range defaultPorts {
		rest, ok := cutPrefixFold(location, prefix)
		if !ok {
			continue
		}
		path, ok := cutPrefixFold(rest, service)
		path = strings.TrimPrefix(path, port) // sidecars add it
		if ok && (path == "" || strings.ContainsRune("/?#", rune(path[0]))) {
			return scheme + "://" + service + path, true
		}
	}
	return "", false
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
