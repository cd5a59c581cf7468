// Package smartclient is an HTTP client that knows where services are. It has
// net/http's manners: a [Client] has the method set of [http.Client], and a
// [Transport] is an [http.RoundTripper] for any http.Client, reverse proxy or
// instrumentation.
//
//	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: table})
//	resp, err := client.Get("service://identity/users/1")
//
// A URL of the scheme service names a service of the client's realm. Every
// other URL passes through untouched.
//
// # What happens to a request
//
// The [registry.Resolver] is asked for the service's current view, at each
// attempt anew. Of the instances that may be used, those in the client's own
// zone come first; of two drawn at random (as likely as their weights) the one
// with the lower expected cost wins: its latency, as an exponentially weighted
// average that follows peaks at once, times its requests in flight. One that
// always loses is asked again after a second, then less and less, and a good
// answer clears it. A life that begins while the client looks on gets a tenth
// of its share at first and all of it after ten seconds.
//
// An instance that failed five times running, or was five times running slower
// than nearly all answers of the service and four times its median for more
// than a second, is ejected for 5 s, the next time for 10, up to 300; then one
// request probes it. At most half are ejected. Where fewer than half of the
// candidates are well, ejections are forgotten and all that may work are used,
// suspects too, those that answer first; a zone of which fewer than half are
// well hands requests to the others before it is down.
//
// An attempt that fails is repeated on another instance if that is safe (on the
// same one only if there is no other, and nothing was sent, Retry-After asks
// for it, or a kept connection broke):
//
//   - with any method if nothing of the request was sent (refused, dial or TLS
//     failure, a kept connection that had died before the first byte);
//   - with an idempotent method (GET, HEAD, OPTIONS, TRACE, PUT, DELETE) also
//     if the connection broke, the attempt timed out, or the answer was 502,
//     503 or 504, and on 429 when Retry-After says when.
//
// A POST or PATCH with an Idempotency-Key counts as idempotent where the
// service's policy declares that it heeds them (see Options.IdempotencyKeys).
//
// There are at most three attempts, with jittered pauses inside the context's
// deadline, and a budget for each service keeps retries from multiplying a
// service's trouble. A body is repeated only if it can be: by GetBody, because
// nothing of it was read yet, or because the request may be repeated and the
// body is of known length and at most 64 KiB, so that it was buffered before it
// was sent. Once a response's headers have been handed to the caller nothing is
// repeated any more.
//
// With [Options].Hedge, or where the service's policy asks for it, a request of
// an idempotent method that has no answer after about the 95th percentile of the
// service's latency goes to another instance too. The first answer that needs
// no repetition counts and the other attempt is cancelled. Hedges are charged to
// the budget.
//
// A proxy in front of other people's clients uses [RetryUnsent] instead: only
// what was never sent is repeated, and GET, HEAD and OPTIONS without a body
// that got no answer.
//
// When a kept connection turns out to be dead, some requests are sent again at
// once, as net/http does: GET, HEAD, OPTIONS and TRACE, and what had written
// nothing. These resends are charged to the budget and counted. For requests
// that only carry an Idempotency-Key it is turned off, unless the service heeds
// the key.
//
// # Connections
//
// Requests over plain HTTP/1.1 whose body is short and at hand, or that have
// none, go over connections which the caller's goroutine itself writes and
// reads: what net/http does between its goroutines costs more than all that this
// package does. net/http's own code writes them and reads their answers. Its
// [http.Transport] takes the others: streams, uploads, upgrades, TLS and HTTP/2,
// requests that somebody traces with httptrace, and all if Options.Base is set.
//
// # Layers
//
// From the second attempt on, the header Fairlead-Attempt carries the attempt's
// number. Whoever gets such a request knows that a layer above repeats, and
// repeats only what was never sent: a proxy on the way, and a service while it
// serves the request, for what it calls says the same to the layer below (see
// [Inbound]). So in a chain of n services in which everything fails the last
// one sees 2n+1 attempts of a request, not 3 to the n.
//
// # Time
//
// A call ends with the request's context, or when [Options].Timeout is over, or
// the request's own Fairlead-Timeout header, or, where the caller says nothing,
// the policy's timeout, the answer's body included. (The policy's is not for
// upgrades and event streams, which are meant to last.) Each attempt tells its
// instance in that header how many milliseconds are left; a smart service's
// request contexts end then, so what it calls in them is told still less. A
// request whose time is over, or less than the quickest of a hundred answers of
// late took, is not sent.
//
// # Policy
//
// What a service's metadata says in its [registry.Policy] counts where the
// caller's Options say nothing, from the next call on whenever it changes.
//
// # Beyond http.Client
//
// [GetJSON], [PostJSON] and their like send and read JSON, and return what a
// service says went wrong as a [*Problem]:
//
//	user, err := smartclient.GetJSON[User](ctx, client, "service://identity/users/1")
//
// [Client.Go] sends a request in the background. [All] waits for several of
// them, [First] for the first success, and [FanOut] makes many calls, a few at
// a time, with a result for each:
//
//	a, b := client.Go(ctx, first), client.Go(ctx, second)
//	answers, err := smartclient.All(a, b)
//
// # What can be seen
//
// Each attempt is a span and a point of http.client.request.duration, by
// OpenTelemetry's stable names, with http.request.resend_count from the second
// on. Counters tell of picks, retries, those that the budget refused, hedges,
// ejections and resends. [Client.Explain] tells which instances
// get requests and why the others do not, and an [Observer] hears of every
// attempt.
//
// A request with the header Fairlead-Route, or made in a context of
// [WithRoutes], goes to the instance that it names where the service permits
// that. With Options.Sidecar, or FAIRLEAD_SIDECAR, requests go to a sidecar,
// which does the choosing and the repeating.
//
// # What services see
//
// The Host header is the service's name (identity) unless the caller set
// Request.Host, so links that a service builds from it are logical. A redirect
// to such a link (http://identity/…) is given back as service://identity/…,
// which any http.Client with this Transport can follow. A redirect to a service
// that comes from anybody else is not followed ([ErrForeignRedirect]).
//
// # What users see
//
// An answer is an answer: a 503 that is left after all attempts is returned as
// a response. When there is none, the error is an [*Error] that names service,
// realm, every attempt's instance and cause, and tells whether the request may
// have been processed. [errors.Is] finds [registry.ErrNoSuchService],
// [registry.ErrNoneEnabled], [registry.ErrNeverSeen], [ErrBudgetSpent],
// [ErrNoTime], [ErrThrottled], [ErrTooManyInFlight],
// [ErrAttemptTimeout] and the context's errors.
package smartclient
