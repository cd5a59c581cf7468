// Package smartservice makes an HTTP handler a member of a realm: it listens,
// registers itself, keeps its lease, answers health probes, counts, logs and
// traces requests, and leaves without losing one. A whole service:
//
//	func main() {
//		app := smartservice.New("identity", smartservice.Options{Version: "1.4.2"})
//		app.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
//			fmt.Fprintf(w, "user %s\n", r.PathValue("id"))
//		})
//		app.Main()
//	}
//
// [App.Main] reads flags and the environment (see [Options]), serves until
// SIGTERM or SIGINT, and drains. [App.Run] does the same under a context, and
// [App.Start] with [App.Stop] for programs and tests that hold several
// services in one process.
//
// # Life
//
// The service serves as soon as its port is open, whether or not the bus is
// there; registration follows when it can and is repeated after any outage. A
// service that is alone does not stop being ready: readiness is its own
// checks' word ([App.Check]) and has nothing to do with the control plane.
//
// Stopping takes the order that loses no request: the registry is told that
// the instance drains, requests are served on while every routing table
// follows (each answer asks its caller to close the connection), then the
// instance deregisters, the listener closes, what is in flight finishes, and
// the bus is left. Each step is bounded, with the bus away too.
//
// # What every service answers
//
//	/health/live    the process serves
//	/health/ready   its checks pass and it does not drain
//	/health         the same with every check, as application/health+json
//	/metrics        Prometheus; OpenTelemetry's stable HTTP names
//
// Answers under /health carry the [HeaderInstance] and [HeaderIncarnation]
// headers, by which the registry tells this life of the instance from another
// program that was given its port.
//
// # Settings
//
// [App.Settings] has values by name that operators may change while the service
// runs. For each name the first of these counts that has a value which makes
// sense: the flag -set NAME=VALUE, the environment variable of the same name,
// the registry's setting of the service, and the default in the code. So what
// somebody has decided for one process stays decided whatever is said to all.
// The registry's values are followed live; while it is away, those known go on
// to count.
//
//	limit := app.Settings().Int("MAX_USERS", 100)
//
// # Calling others
//
// [App.Client] calls services by name. Pass the request's context on, so that
// deadlines, cancellation and the trace continue:
//
//	req, _ := http.NewRequestWithContext(r.Context(), "GET", "service://identity/users/1", nil)
//	resp, err := app.Client().Do(req)
package smartservice
