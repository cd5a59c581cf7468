package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"fairlead.dev/connect"
	"fairlead.dev/smartservice"
)

// TestMain makes three programs that tests and scripts start by name: the
// command itself, a service that knows nothing of it, and one that does.
//
// Tables stay out of the cache of whoever runs the tests.
func TestMain(m *testing.M) {
	if err := os.Setenv(connect.EnvCache, connect.NoCache); err != nil {
		panic(err)
	}
	testscript.Main(leakChecked{m}, map[string]func(){
		"fairlead": main,
		"greeter":  greeter,
		"selfmade": func() { smartservice.New("greeter", smartservice.Options{}).Main() },
	})
}

// leakChecked fails the run if goroutines are left when its tests have passed.
type leakChecked struct{ *testing.M }

func (l leakChecked) Run() int {
	if code := l.M.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(goleak.IgnoreTopFunction(sourcing)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sourcing is a goroutine of the bus's server that waits, for a while, for an
// answer that does not come any more when a server stops as soon as it has
// started.
const sourcing = "github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"

// patience bounds every wait for something that has to happen.
const patience = 20 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// greeter is a service as people write them: it listens where PORT says and
// ends on SIGTERM, with exit code 0. It can be asked to end otherwise.
func greeter() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("GET /old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo", http.StatusFound) })
	mux.HandleFunc("POST /exit/{code}", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		os.Exit(code)
	})
	mux.HandleFunc("POST /kill", func(http.ResponseWriter, *http.Request) { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGHUP)
	go func() { _ = http.Serve(listener, mux) }()
	fmt.Println("greeter listens")
	for s := range heard {
		fmt.Println("greeter heard", s)
		if s == syscall.SIGTERM && os.Getenv("STUBBORN") == "" {
			return
		}
	}
}

// echo answers what it got, and what its environment says.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"method": r.Method, "body": string(body), "type": r.Header.Get("Content-Type"), "colour": r.Header.Get("Colour"),
		"service": os.Getenv("FAIRLEAD_SERVICE"), "instance": os.Getenv("FAIRLEAD_INSTANCE"), "realm": os.Getenv("FAIRLEAD_REALM"),
		"port": os.Getenv("PORT"), "fairlead_port": os.Getenv("FAIRLEAD_PORT"),
	})
}
