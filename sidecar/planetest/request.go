package planetest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Request makes a request; headers are lines, Host among them.
func Request(t *testing.T, method, url string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			req.Host = value
		} else {
			req.Header.Add(name, value)
		}
	}
	return req
}

// Send returns the answer, whose body it has read. There has to be one.
func Send(t *testing.T, client *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, body, err := exchange(client, req)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

func exchange(client *http.Client, req *http.Request) (*http.Response, string, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}
