package smartservice_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"

	"fairlead.dev/smartservice"
)

// A whole service.
func Example() {
	app := smartservice.New("identity", smartservice.Options{Version: "1.4.2"})
	app.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		smartservice.WriteJSON(w, http.StatusOK, map[string]string{"id": r.PathValue("id")})
	})
	app.Main()
}

// A service that calls another one by name, with the trace, the deadline and
// the id of the request that it serves.
func ExampleApp_Client() {
	app := smartservice.New("gateway", smartservice.Options{})
	app.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodGet, "service://identity"+r.URL.Path, nil)
		req.Header.Set(smartservice.HeaderRequestID, smartservice.RequestID(r.Context()))
		resp, err := app.Client().Do(req)
		if err != nil {
			smartservice.WriteProblem(w, http.StatusBadGateway, "identity did not answer")
			return
		}
		defer resp.Body.Close()
		_, _ = io.Copy(w, resp.Body)
	})
	app.Main()
}

// A service that is not ready without its database, and a second choice
// without its cache.
func ExampleApp_Check() {
	var db, cache *sql.DB
	app := smartservice.New("identity", smartservice.Options{})
	app.Check("db", db.PingContext)
	app.Check("cache", cache.PingContext, smartservice.WarnOnly())
	app.Main()
}

// A service whose operators may change what it says, and how much, while it
// runs: `fairlead settings set identity GREETING 'Good day'`.
func ExampleApp_Settings() {
	app := smartservice.New("identity", smartservice.Options{})
	settings := app.Settings()
	app.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, settings.String("GREETING", "hello"))
	})
	settings.OnChange(func(names []string) { log.Println("other settings:", names) })
	fmt.Println(settings.String("GREETING", "hello"), settings.Int("MAX_USERS", 100))
	// Output: hello 100
}

// A program with flags of its own.
func ExampleApp_Flags() {
	app := smartservice.New("identity", smartservice.Options{})
	greeting := flag.String("greeting", "hello", "what to say")
	app.Flags(flag.CommandLine)
	flag.Parse()
	app.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, *greeting) })
	if err := app.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// A service within a program, or a test, that has its own life.
func ExampleApp_Start() {
	app := smartservice.New("identity", smartservice.Options{Addr: "127.0.0.1:0", Instance: "identity-1"})
	if err := app.Start(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Key())
	if err := app.Stop(context.Background()); err != nil {
		log.Fatal(err)
	}
}
