package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead.dev/connect"
	"fairlead.dev/registry"
	"fairlead.dev/sidecar/route"
	"fairlead.dev/smartclient"
)

// callFlags are what curl's users know by the same letters.
type callFlags struct {
	headers []string
	data    string
	include bool
	noRules bool
	timeout *span
}

// newCallCommand calls a service as a program with the smart client would.
func newCallCommand(set *settings) *cobra.Command {
	var f callFlags
	c := &cobra.Command{
		Use:   "call METHOD service://NAME/PATH",
		Short: "Call a service by name, straight to one of its instances",
		Long: `Call a service by name, straight to one of its instances, and write the body of
the answer to standard output. Retries and the choice of an instance are the
smart client's. The service's rules are followed, as a sidecar and the bridge do,
and standard error tells where they lead; --no-rules goes to the service itself,
as programs with a smart client of their own do. With --verbose, standard error
tells of each attempt.

Exit code 1 means a status of 400 or more, or that no instance answered; 3 that
there is no such service, or that every instance of it is disabled or draining;
4 that the registry does not answer.`,
		Example: `  fairlead call GET service://identity/users/1
  fairlead call POST service://identity/users -H 'Idempotency-Key: 7' -d '{"name":"Ada"}'
  fairlead call PUT service://identity/users/1/photo -d @photo.jpg -i`,
		Args: takes("METHOD", "URL"),
	}
	c.Flags().StringArrayVarP(&f.headers, "header", "H", nil, "header 'Name: value'; may be given several times")
	c.Flags().StringVarP(&f.data, "data", "d", "", "body; @FILE reads it from a file, @- from standard input")
	lookUp(c.Flags(), "data") // FAIRLEAD_DATA is the registry's directory
	c.Flags().BoolVarP(&f.include, "include", "i", false, "write the status and the headers before the body")
	c.Flags().BoolVar(&f.noRules, "no-rules", false, "go to the service that is named, whatever its rules say")
	f.timeout = spanFlag(c, "timeout", 30*time.Second, "how long the call may take, retries included")
	c.RunE = func(c *cobra.Command, args []string) error {
		if f.noRules && bySidecar() {
			return usagef("--no-rules: must not be given with %s set: the sidecar follows them", smartclient.EnvSidecar)
		}
		ctx, cancel := f.timeout.bound(c.Context())
		defer cancel()
		req, err := set.newRequest(ctx, args[0], args[1], c.Flags().Changed("data"), f)
		if err != nil {
			return err
		}
		return set.call(req, f)
	}
	return c
}

// newRequest turns the command line into a request. All errors are mistakes
// in it.
func (s *settings) newRequest(ctx context.Context, method, target string, hasBody bool, f callFlags) (*http.Request, error) {
	if err := checkTarget(target); err != nil {
		return nil, err
	}
	body, err := s.readText("data", f.data)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), target, bytes.NewReader(body))
	if err != nil {
		return nil, usagef("METHOD: %w", err)
	}
	if err := setHeaders(req, f.headers); err != nil {
		return nil, err
	}
	if !hasBody {
		req.Body, req.GetBody = http.NoBody, nil
	} else if req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", contentType(body))
	}
	return req, nil
}

func checkTarget(target string) error {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return usagef("URL: %w", err)
	case u.Scheme != "service":
		return usagef("URL: must be like service://identity/users/1, got %q", target)
	case u.User != nil:
		return usagef("URL: must not have a user or a password")
	}
	return registry.ValidateName("service", u.Host)
}

// readText returns what a flag says, or what the file that it names by @ does.
func (s *settings) readText(flag, data string) ([]byte, error) {
	file, isFile := strings.CutPrefix(data, "@")
	switch {
	case !isFile:
		return []byte(data), nil
	case file == "-":
		body, err := io.ReadAll(s.in)
		if err != nil {
			return nil, fmt.Errorf("--%s: read standard input: %w", flag, err)
		}
		return body, nil
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--%s: %w", flag, err)
	}
	return body, nil
}

func setHeaders(req *http.Request, headers []string) error {
	for _, header := range headers {
		name, value, ok := strings.Cut(header, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return usagef("--header: must be like 'Name: value', got %q", header)
		}
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Add(name, value)
	}
	return nil
}

func contentType(body []byte) string {
	if json.Valid(body) {
		return "application/json"
	}
	return http.DetectContentType(body)
}

// call sends the request and writes the answer. Redirects are shown, not
// followed, as curl does.
func (s *settings) call(req *http.Request, f callFlags) (err error) {
	var attempts attemptLog
	session, err := s.dial(req.Context(), connect.Options{Client: smartclient.Options{Observer: attempts.observer(s.verbose)}})
	if err != nil {
		return errors.Join(err, attempts.print(s.err))
	}
	defer func() { err = errors.Join(err, attempts.print(s.err), closeSession(session)) }()
	if !f.noRules {
		s.followRules(req, session)
	}
	client := session.Client().HTTPClient()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return s.explainCall(req, err)
	}
	defer resp.Body.Close()
	if err := s.printResponse(resp, f.include); err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: status %s", req.Method, req.URL.Redacted(), resp.Status)
	}
	return nil
}

// followRules has a request go where the rules of its service send it. A sidecar
// that carries the calls does so itself. If nothing is known of the service, the
// call says why.
func (s *settings) followRules(req *http.Request, session *connect.Session) {
	if bySidecar() {
		return
	}
	asked := askedOf(req)
	rules, err := route.Rules(req.Context(), session.Table(), asked.Service)
	if err != nil {
		return
	}
	target := route.Follow(rules, asked, rand.IntN)
	if target == asked.Service {
		return
	}
	fmt.Fprintf(s.err, "note: rule %d of %s sends this to %s\n", route.First(rules, asked)+1, asked.Service, target)
	if req.URL.Host = target; req.Host == asked.Service {
		req.Host = target
	}
}

// bySidecar tells whether a sidecar carries this process's calls.
func bySidecar() bool { return os.Getenv(smartclient.EnvSidecar) != "" }

// askedOf is what rules look at in a request for a service.
func askedOf(req *http.Request) route.Asked {
	return route.Asked{Service: req.URL.Host, Path: cmp.Or(req.URL.EscapedPath(), "/"), Header: req.Header}
}

// explainCall keeps of an error what whoever typed the URL does not know.
func (s *settings) explainCall(req *http.Request, err error) error {
	for _, none := range []error{registry.ErrNoSuchService, registry.ErrNoneEnabled} {
		if errors.Is(err, none) {
			return fmt.Errorf("%w: %s in realm %s", none, req.URL.Host, s.realm)
		}
	}
	var repeating *url.Error
	if errors.As(err, &repeating) {
		return repeating.Err
	}
	return err
}

func (s *settings) printResponse(resp *http.Response, include bool) error {
	if include {
		fmt.Fprintf(s.out, "%s %s\n", resp.Proto, resp.Status)
		for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
			for _, value := range resp.Header[name] {
				fmt.Fprintf(s.out, "%s: %s\n", name, value)
			}
		}
		fmt.Fprintln(s.out)
	}
	if _, err := io.Copy(s.out, resp.Body); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}
