package builtin

import (
	"fmt"
	"net/http"
	"strings"
)

// viaName is the pseudonym of every proxy of ours in Via (RFC 9110 §7.6.3).
const viaName = "fairlead"

// maxHops is how many proxies of ours a request may pass. Services that copy
// all headers to their own calls add one a call, so chains of calls count too;
// a loop gets there in milliseconds.
const maxHops = 16

// hops counts the proxies of ours that a request has passed.
func hops(h http.Header) (n int) {
	for _, line := range h["Via"] {
		for hop := range strings.SplitSeq(line, ",") {
			if by := strings.Fields(hop); len(by) > 1 && by[1] == viaName {
				n++
			}
		}
	}
	return n
}

// via returns the Via with which in goes on.
func via(in *http.Request) string {
	hop := "1.1 " + viaName
	if in.ProtoMajor != 1 || in.ProtoMinor != 1 {
		hop = fmt.Sprintf("%d.%d %s", in.ProtoMajor, in.ProtoMinor, viaName)
	}
	if before := in.Header["Via"]; len(before) > 0 {
		return strings.Join(before, ", ") + ", " + hop
	}
	return hop
}
