// Package h1 carries HTTP/1.1 requests on connections that the goroutine of
// the caller itself writes and reads.
//
// net/http's Transport gives each connection a goroutine that writes and one
// that reads, since it cannot know whether a request's body is a stream that
// goes on while the answer comes back. For requests whose whole text is at
// hand that costs four switches between goroutines, and over half of a client's
// processor time. Here the request goes out in one write, and whoever waits for
// the answer waits for the network:
//
//	pool := &h1.Pool{Dial: dialer.DialContext, IdleTimeout: 4 * time.Second, MostIdle: 256}
//	if h1.Carries(req) {
//		var course h1.Course
//		resp, err := pool.Send(req, &course)
//	}
//
// What goes over the wire remains net/http's business: requests are written by
// [http.Request.Write], answers read by [http.ReadResponse]. This package keeps
// connections, ends them with the request's context, and tells what became of
// a request, which is what a decision on repeating it needs. Everything that
// it does not carry (streams, uploads, upgrades, TLS, HTTP/2) is for a
// Transport.
package h1
