package h1_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"sync"
	"testing"

	"fairlead.dev/smartclient/internal/h1"
)

// A heard is an answer as a caller of net/http gets it.
type heard struct {
	Failed  bool
	Status  string
	Proto   string
	Header  http.Header
	Length  int64
	Close   bool
	Body    string
	Broken  bool
	Trailer http.Header
}

func hear(resp *http.Response, err error) heard {
	if err != nil {
		return heard{Failed: true}
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return heard{
		Status: resp.Status, Proto: resp.Proto, Header: resp.Header, Length: resp.ContentLength, Close: resp.Close,
		Body: string(body), Broken: err != nil, Trailer: resp.Trailer,
	}
}

// said is a connection whose peer says one thing once it has been written to,
// and then no more.
type said struct {
	net.Conn
	text  *bytes.Reader
	asked chan struct{}
	ask   func()
}

func saying(text []byte) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		c := &said{text: bytes.NewReader(text), asked: make(chan struct{})}
		c.ask = sync.OnceFunc(func() { close(c.asked) })
		return c, nil
	}
}

func (c *said) Read(p []byte) (int, error) { <-c.asked; return c.text.Read(p) }

func (c *said) Write(p []byte) (int, error) { c.ask(); return len(p), nil }

func (c *said) Close() error { c.ask(); return nil }

// bySelf and byNetHTTP send a request to a peer that says text.
func bySelf(t testing.TB, method string, text []byte) heard {
	p := &h1.Pool{Dial: saying(text), IdleTimeout: 1, MostIdle: 1}
	defer p.CloseIdleConnections()
	return hear(p.Send(newRequest(t, method, nil), new(h1.Course)))
}

func byNetHTTP(t testing.TB, method string, text []byte) heard {
	tr := &http.Transport{DialContext: saying(text), DisableCompression: true}
	defer tr.CloseIdleConnections()
	return hear(tr.RoundTrip(newRequest(t, method, nil)))
}

var answers = []string{
	ok,
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
	"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n2\r\nok\r\n0\r\nSum: 1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n" + ok,
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok,
	"HTTP/1.1 100 Continue\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 20 Short\r\n\r\n",
	"HTTP/2.0 200 OK\r\n\r\n",
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
	"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nA: x\r\n y\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Le",
	"SSH-2.0-OpenSSH\r\n",
	"\x15\x03\x01\x00\x02\x02\x16",
	"\r\n\r\n",
	"",
}

// What comes over the wire means here what it means to net/http.
func TestAnswersMeanTheSame(t *testing.T) {
	for _, text := range answers {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			t.Run(fmt.Sprintf("%s %.60q", method, text), func(t *testing.T) {
				want, got := byNetHTTP(t, method, []byte(text)), bySelf(t, method, []byte(text))
				if !reflect.DeepEqual(got, want) {
					t.Errorf("\n got %+v\nwant %+v", got, want)
				}
			})
		}
	}
}

// FuzzAnswersMeanTheSame looks for an answer that would mean something else.
func FuzzAnswersMeanTheSame(f *testing.F) {
	for _, text := range answers {
		f.Add([]byte(text), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		want, got := byNetHTTP(t, method, text), bySelf(t, method, text)
		if want.Status != "" && got.Failed && bytes.Contains(text, []byte(" 101")) {
			return // net/http lets a server switch protocols unasked
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	})
}
