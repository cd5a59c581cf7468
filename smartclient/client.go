package smartclient

import (
	"io"
	"net/http"
	"net/url"
)

// A Client is an [http.Client] whose URLs may name services. Its methods are
// http.Client's, with the same promises about redirects, cookies, bodies and
// errors. It may be used concurrently; make one and keep it, for it holds the
// connections and what it has learned of the instances.
type Client struct {
	http       *http.Client
	transport  *Transport
	background chan struct{} // a place for each request of Go
}

// New returns a Client.
func New(o Options) *Client {
	t := NewTransport(o)
	return &Client{http: &http.Client{Transport: t}, transport: t, background: make(chan struct{}, t.options.Background)}
}

// Do sends a request; see [http.Client.Do]. The request's context bounds all
// attempts together.
func (c *Client) Do(req *http.Request) (*http.Response, error) { return c.http.Do(req) }

// Get issues a GET; see [http.Client.Get].
func (c *Client) Get(url string) (*http.Response, error) { return c.http.Get(url) }

// Head issues a HEAD; see [http.Client.Head].
func (c *Client) Head(url string) (*http.Response, error) { return c.http.Head(url) }

// Post issues a POST; see [http.Client.Post].
func (c *Client) Post(url, contentType string, body io.Reader) (*http.Response, error) {
	return c.http.Post(url, contentType, body)
}

// PostForm issues a POST with a form as its body; see [http.Client.PostForm].
func (c *Client) PostForm(url string, data url.Values) (*http.Response, error) {
	return c.http.PostForm(url, data)
}

// Put issues a PUT. Like Post, it closes body if that is an io.Closer.
func (c *Client) Put(url, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPut, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return c.http.Do(req)
}

// Delete issues a DELETE without a body.
func (c *Client) Delete(url string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodDelete, url, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// CloseIdleConnections closes connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// HTTPClient returns the client inside, to hand to code that wants one or to
// set Timeout, CheckRedirect or Jar (see [Jar]) before first use.
func (c *Client) HTTPClient() *http.Client { return c.http }

// Transport returns the transport inside.
func (c *Client) Transport() *Transport { return c.transport }
