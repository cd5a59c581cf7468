package h1

import (
	"net/http"
	"net/http/httptrace"

	"golang.org/x/net/http/httpguts"
)

// mostBody is the longest body that is carried. A connection's buffers take as
// much without the peer's reading it, so that writing it never has to wait for
// an answer to be read.
const mostBody = 16 << 10

// Carries tells whether Send takes a request. The others are those that a
// [http.Transport] has more to do for: whose body is long or not at hand, that
// expect something before or beside the answer, that somebody traces, and those
// which it refuses.
func Carries(req *http.Request) bool {
	return req.URL.Scheme == "http" && req.Header != nil && usual(req.Method) && atHand(req) &&
		plain(req) && valid(req.Header) && httptrace.ContextClientTrace(req.Context()) == nil
}

func usual(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// atHand tells whether there is no body, or a short one that can be had as often
// as one likes, and so is no stream.
func atHand(req *http.Request) bool {
	if !hasBody(req) {
		return true
	}
	return req.GetBody != nil && req.ContentLength > 0 && req.ContentLength <= mostBody
}

func plain(req *http.Request) bool {
	return len(req.Header["Upgrade"]) == 0 && len(req.Header["Expect"]) == 0 &&
		len(req.TransferEncoding) == 0 && len(req.Trailer) == 0 && !req.Close
}

func valid(h http.Header) bool {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}
