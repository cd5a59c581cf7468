package smartclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// A Doer sends requests: a [*Client], an [*http.Client], or what stands in for
// one in a test.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// mostJSON bounds the answers that are read as a whole.
const mostJSON = 32 << 20

var errTooLarge = fmt.Errorf("answer is larger than %d MiB", mostJSON>>20)

// GetJSON gets a URL and decodes its answer. An answer that is not a success
// (2xx) is returned as a [*Problem].
//
//	user, err := smartclient.GetJSON[User](ctx, client, "service://identity/users/1")
func GetJSON[T any](ctx context.Context, client Doer, url string) (T, error) {
	return exchangeJSON[T](ctx, client, http.MethodGet, url, nil)
}

// PostJSON posts body as JSON and decodes the answer, as [GetJSON] does. For an
// answer without content T may be struct{}.
func PostJSON[T any](ctx context.Context, client Doer, url string, body any) (T, error) {
	return exchangeJSON[T](ctx, client, http.MethodPost, url, body)
}

// PutJSON puts body as JSON and decodes the answer, as [PostJSON] does.
func PutJSON[T any](ctx context.Context, client Doer, url string, body any) (T, error) {
	return exchangeJSON[T](ctx, client, http.MethodPut, url, body)
}

// DeleteJSON deletes a URL and decodes the answer, as [PostJSON] does.
func DeleteJSON[T any](ctx context.Context, client Doer, url string) (T, error) {
	return exchangeJSON[T](ctx, client, http.MethodDelete, url, nil)
}

// DoJSON sends a request of any kind, asks for JSON unless its Accept header
// says otherwise, and decodes the answer with [ReadJSON].
func DoJSON[T any](client Doer, req *http.Request) (T, error) {
	resp, err := client.Do(accepting(req))
	if err != nil {
		var none T
		return none, err
	}
	return ReadJSON[T](resp)
}

// ReadJSON decodes an answer of at most 32 MiB and closes it. One that is not a
// success is returned as a [*Problem]; one without content is T's zero value.
func ReadJSON[T any](resp *http.Response) (value T, err error) {
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return value, ReadProblem(resp)
	}
	defer resp.Body.Close()
	data, err := readAtMost(resp.Body, mostJSON)
	if err != nil {
		return value, fmt.Errorf("%s: read answer: %w", requestOf(resp), err)
	}
	if len(data) == 0 {
		return value, nil
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("%s: decode answer: %w", requestOf(resp), err)
	}
	return value, nil
}

// accepting asks for JSON, in a copy, for the request is the caller's.
func accepting(req *http.Request) *http.Request {
	if req.Header.Get("Accept") != "" {
		return req
	}
	asking := req.WithContext(req.Context())
	asking.Header = make(http.Header, len(req.Header)+1)
	maps.Copy(asking.Header, req.Header)
	asking.Header.Set("Accept", "application/json, application/problem+json")
	return asking
}

func exchangeJSON[T any](ctx context.Context, client Doer, method, url string, body any) (T, error) {
	req, err := newJSONRequest(ctx, method, url, body)
	if err != nil {
		var none T
		return none, err
	}
	return DoJSON[T](client, req)
}

// newJSONRequest has a body that can be sent again, none if it is nil.
func newJSONRequest(ctx context.Context, method, url string, body any) (*http.Request, error) {
	if body == nil {
		return http.NewRequestWithContext(ctx, method, url, nil)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode body of %s %s: %w", method, url, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(data))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if int64(len(data)) > most {
		return data[:most], errors.Join(errTooLarge, err)
	}
	return data, err
}

// requestOf names the request that an answer is to, on one line.
func requestOf(resp *http.Response) string {
	if resp.Request == nil || resp.Request.URL == nil {
		return "request"
	}
	return methodOf(resp.Request) + " " + resp.Request.URL.Redacted()
}
