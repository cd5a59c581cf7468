package smartclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairlead.dev/smartclient"
)

type user struct {
	Name string `json:"name"`
}

func TestJSONHelpers(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(user{strings.Join([]string{r.Method, r.Header.Get("Content-Type"), r.Header.Get("Accept"), string(body)}, "|")})
	})
	const url, accept = "service://identity/users", "application/json, application/problem+json"
	ctx := t.Context()
	for want, call := range map[string]func() (user, error){
		"GET||" + accept + "|":                                 func() (user, error) { return smartclient.GetJSON[user](ctx, c, url) },
		"DELETE||" + accept + "|":                              func() (user, error) { return smartclient.DeleteJSON[user](ctx, c, url) },
		"POST|application/json|" + accept + `|{"name":"anna"}`: func() (user, error) { return smartclient.PostJSON[user](ctx, c, url, user{"anna"}) },
		"PUT|application/json|" + accept + `|{"name":"anna"}`:  func() (user, error) { return smartclient.PutJSON[user](ctx, c, url, user{"anna"}) },
	} {
		if got, err := call(); err != nil || got.Name != want {
			t.Errorf("got %q, %v; want %q", got.Name, err, want)
		}
	}
}

func TestDoJSONLeavesTheRequestAlone(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%q", r.Header.Get("Accept")) })
	req := getting(t, "/")
	got, err := smartclient.DoJSON[string](c, req)
	if err != nil || !strings.HasPrefix(got, "application/json") || len(req.Header) != 0 {
		t.Errorf("got %q, %v; the request's header is %v", got, err, req.Header)
	}
	req.Header.Set("Accept", "application/hal+json")
	if got, err := smartclient.DoJSON[string](c, req); err != nil || got != "application/hal+json" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnswersThatAreNotJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string // of the error; empty: none
	}{
		"no content": {204, "", ""},
		"nothing":    {200, "", ""},
		"rubbish":    {200, "hello", "GET service://identity/: decode answer: "},
		"two values": {200, `{} {}`, "GET service://identity/: decode answer: "},
		"too large":  {200, `"` + strings.Repeat("x", 32<<20) + `"`, "GET service://identity/: read answer: answer is larger than 32 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			c := one(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			_, err := smartclient.GetJSON[user](t.Context(), c, "service://identity/")
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestBodiesThatAreNotJSON(t *testing.T) {
	_, err := smartclient.PostJSON[user](t.Context(), http.DefaultClient, "service://identity/", func() {})
	if err == nil || !strings.HasPrefix(err.Error(), "encode body of POST service://identity/: ") {
		t.Errorf("got %v", err)
	}
}

func answered(status int, contentType, body string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
	resp := w.Result()
	resp.Request = httptest.NewRequest("GET", "http://anna:secret@identity/users/7", nil)
	return resp
}

func TestProblems(t *testing.T) {
	const request = "GET http://anna:xxxxx@identity/users/7: "
	for name, tc := range map[string]struct {
		resp *http.Response
		want smartclient.Problem
		text string
	}{
		"whole": {
			answered(403, "application/problem+json; charset=utf-8", `{"type":"https://e.org/credit","title":"No credit","status":400,"detail":"30 < 50","instance":"/a/1","balance":30}`),
			smartclient.Problem{Type: "https://e.org/credit", Title: "No credit", Status: 403, Detail: "30 < 50", Instance: "/a/1"},
			request + "403 No credit: 30 < 50",
		},
		"members of the wrong type": {
			answered(400, "application/problem+json", `{"type":7,"title":null,"status":"x","detail":["a"]}`),
			smartclient.Problem{Type: "about:blank", Title: "Bad Request", Status: 400}, request + "400 Bad Request",
		},
		"not even JSON": {
			answered(502, "application/problem+json", `<html>`),
			smartclient.Problem{Type: "about:blank", Title: "Bad Gateway", Status: 502}, request + "502 Bad Gateway",
		},
		"http.Error": {
			answered(404, "text/plain; charset=utf-8", "no user 7\nat all\n"),
			smartclient.Problem{Type: "about:blank", Title: "Not Found", Status: 404, Detail: "no user 7"}, request + "404 Not Found: no user 7",
		},
		"a page": {
			answered(404, "text/html", "<h1>no</h1>"),
			smartclient.Problem{Type: "about:blank", Title: "Not Found", Status: 404}, request + "404 Not Found",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := smartclient.ReadProblem(tc.resp)
			if p.Type != tc.want.Type || p.Title != tc.want.Title || p.Status != tc.want.Status || p.Detail != tc.want.Detail || p.Instance != tc.want.Instance {
				t.Errorf("got %+v", p)
			}
			if p.Error() != tc.text {
				t.Errorf("got  %s\nwant %s", p, tc.text)
			}
		})
	}
	p := smartclient.ReadProblem(answered(403, "application/problem+json", `{"balance":30,"status":403}`))
	if len(p.Extensions) != 1 || string(p.Extensions["balance"]) != "30" {
		t.Errorf("extensions %v", p.Extensions)
	}
}

func TestHelpersReturnProblems(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such user", http.StatusNotFound) })
	_, err := smartclient.GetJSON[user](t.Context(), c, "service://identity/users/7")
	var p *smartclient.Problem
	if !errors.As(err, &p) || p.Status != 404 || p.Detail != "no such user" || p.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %v", err)
	}
}

func FuzzProblem(f *testing.F) {
	f.Add("application/problem+json", `{"type":"a","detail":"b\nc"}`)
	f.Add("text/plain", "no\r\nway")
	f.Fuzz(func(t *testing.T, kind, body string) {
		resp := answered(500, "", "")
		resp.Header["Content-Type"] = []string{kind}
		resp.Body = io.NopCloser(strings.NewReader(body))
		p := smartclient.ReadProblem(resp)
		if p.Status != 500 || p.Type == "" || strings.ContainsAny(p.Error(), "\r\n") {
			t.Errorf("got %q of type %q", p, p.Type)
		}
	})
}

func ExampleGetJSON() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/users/1" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"type":"https://example.com/no-user","title":"No such user","detail":"there is no user 2"}`)
			return
		}
		fmt.Fprint(w, `{"name":"anna"}`)
	}))
	defer server.Close()
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: newRealm(at("host001-5000", server.URL))})
	defer client.CloseIdleConnections()

	type User struct {
		Name string `json:"name"`
	}
	ctx := context.Background()
	anna, err := smartclient.GetJSON[User](ctx, client, "service://identity/users/1")
	fmt.Println(anna.Name, err)

	_, err = smartclient.GetJSON[User](ctx, client, "service://identity/users/2")
	var problem *smartclient.Problem
	if errors.As(err, &problem) {
		fmt.Println(problem.Status, problem.Type)
	}
	fmt.Println(err)
	// Output:
	// anna <nil>
	// 404 https://example.com/no-user
	// GET service://identity/users/2: 404 No such user: there is no user 2
}
