package builtin

import (
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"fairlead.dev/sidecar/route"
)

// forOneHop tells whether a header speaks to one hop alone (RFC 9110 §7.6.1).
// A switch is quicker than to look each of them up in the header.
func forOneHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// forUs tells whether a request's header is this proxy's to read or to write:
// what a caller says of where the request came from is not passed on.
func forUs(name string) bool {
	switch name {
	case "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", route.ServiceHeader:
		return true
	}
	return false
}

// dropNamed removes what Connection names, which is for one hop too.
func dropNamed(h http.Header, connection []string) {
	eachToken(connection, func(name string) { h.Del(name) })
}

// requestHeader returns the header with which r goes on. It shares r's values,
// which nobody changes.
func requestHeader(r *http.Request) http.Header {
	in, h := r.Header, make(http.Header, len(r.Header)+6)
	for name, values := range in {
		if !forOneHop(name) && !forUs(name) {
			h[name] = values
		}
	}
	dropNamed(h, in["Connection"])
	tell(h, r)
	if hasToken(in["Te"], "trailers") {
		h["Te"] = []string{"trailers"}
	}
	if protocol := upgradeOf(in); protocol != "" {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{protocol}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = nil // or net/http would add its own
	}
	return h
}

// tell says where r came from and what it came through.
func tell(h http.Header, r *http.Request) {
	values := [...]string{"", r.Host, "http", via(r)}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		values[0] = host
		h["X-Forwarded-For"] = values[0:1:1]
	}
	h["X-Forwarded-Host"], h["X-Forwarded-Proto"], h["Via"] = values[1:2:2], values[2:3:3], values[3:4:4]
}

// upgradeOf returns the protocol that a header asks to switch to. HTTP/2 is
// none of them (RFC 9113 §3.1): what comes after would not be seen here.
func upgradeOf(h http.Header) string {
	if len(h["Upgrade"]) != 1 || !hasToken(h["Connection"], "upgrade") {
		return ""
	}
	if protocol := h["Upgrade"][0]; !hasToken(h["Upgrade"], "h2c") && !hasToken(h["Upgrade"], "h2") {
		return protocol
	}
	return ""
}

func hasToken(values []string, token string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		for one := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(textproto.TrimString(one), token) {
				return true
			}
		}
		return false
	})
}

func eachToken(values []string, do func(string)) {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			if one = textproto.TrimString(one); one != "" {
				do(one)
			}
		}
	}
}

// passHeader adds what of an answer's header is for the caller.
func passHeader(to, from http.Header) {
	dropNamed(from, from["Connection"])
	for name, values := range from {
		if !forOneHop(name) && name != ErrorHeader {
			to[name] = values
		}
	}
}

// copyHeader shares the values, which nobody changes.
func copyHeader(to, from http.Header) {
	for name, values := range from {
		to[name] = values
	}
}
