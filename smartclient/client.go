package smartclient

import (
	"io"
	"net/http"
	"net/url"
	"strings"
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

// Get issues a GET; see [http.Client.Get].
func (c *Client) Get(url string) (*http.Response, error) {
	return c.ask(http.MethodGet, url)
}

// Head issues a HEAD; see [http.Client.Head].
func (c *Client) Head(url string) (*http.Response, error) {
	return c.ask(http.MethodHead, url)
}

// Post issues a POST; see [http.Client.Post].
func (c *Client) Post(url, contentType string, body io.Reader) (*http.Response, error) {
	return c.give(http.MethodPost, url, contentType, body)
}

// PostForm issues a POST with a form as its body; see [http.Client.PostForm].
func (c *Client) PostForm(url string, data url.Values) (*http.Response, error) {
	return c.Post(url, "application/x-www-form-urlencoded", strings.NewReader(data.Encode()))
}

// Put issues a PUT. Like Post, it closes body if that is an io.Closer.
func (c *Client) Put(url, contentType string, body io.Reader) (*http.Response, error) {
	return c.give(http.MethodPut, url, contentType, body)
}

// Delete issues a DELETE without a body.
func (c *Client) Delete(url string) (*http.Response, error) {
	return c.ask(http.MethodDelete, url)
}

func (c *Client) ask(method, url string) (*http.Response, error) {
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

func (c *Client) give(method, url, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	return c.Do(req)
}

// CloseIdleConnections closes connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// HTTPClient returns the client inside, to hand to code that wants one or to
// set Timeout, CheckRedirect or Jar (see [Jar]) before first use.
func (c *Client) HTTPClient() *http.Client { return c.http }

// Transport returns the transport inside.
func (c *Client) Transport() *Transport { return c.transport }
