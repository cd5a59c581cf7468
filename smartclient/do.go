package smartclient

import "net/http"

// Do sends a request; see [http.Client.Do]. The request's context bounds all
// attempts together.
//
// What http.Client does for redirects and cookies costs each request as much as
// choosing an instance does, and hardly any needs it. So a request goes to the
// transport at once where http.Client would do no more before, and its answer
// or failure to http.Client where there is more to do with it.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if !c.atOnce(req) {
		return c.http.Do(req)
	}
	resp, err := c.transport.RoundTrip(req)
	if err == nil && !redirects(resp.StatusCode) && resp.Body != nil {
		return resp, nil
	}
	rest := *c.http
	rest.Transport = &begun{resp: resp, err: err, next: c.transport}
	return rest.Do(req)
}

// atOnce tells whether http.Client would do nothing with a request but give it
// to the transport: it is well-formed, and there are neither cookies nor a
// time-out nor a password in the URL.
func (c *Client) atOnce(req *http.Request) bool {
	h := c.http
	return h.Transport == c.transport && h.Jar == nil && h.Timeout == 0 &&
		req.URL != nil && req.URL.Scheme == scheme && req.URL.User == nil && req.Header != nil && req.RequestURI == ""
}

func redirects(status int) bool { return status >= 300 && status <= 399 }

// begun is a transport whose first round trip is over.
type begun struct {
	resp *http.Response
	err  error
	over bool
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (b *begun) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.over {
		return b.next.RoundTrip(req)
	}
	b.over = true
	return b.resp, b.err
}
