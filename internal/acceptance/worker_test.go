package acceptance

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"fairlead.dev/smartservice"
)

// workerVariable makes this program the service "worker".
const workerVariable = "FAIRLEAD_ACCEPTANCE_WORKER"

// workTakes is long enough for requests to be under way whenever a worker is
// told to end.
const workTakes = 20 * time.Millisecond

// slowWorkTakes is longer than a worker serves on before it closes its port.
const slowWorkTakes = 2500 * time.Millisecond

// startWorker starts a service as a user would write it, with the drain that
// services have by default.
func (r *realm) startWorker(t *testing.T, id string) *process {
	t.Helper()
	env := append(r.member(id), workerVariable+"=yes", "FAIRLEAD_DRAIN_DELAY=1s", "FAIRLEAD_LOG_LEVEL=warn")
	p := start(t, id, env, os.Args[0])
	r.await(t, patience, "worker", id, "passes", passes)
	return p
}

// tally counts requests by method.
type tally struct {
	mu       sync.Mutex
	ByMethod map[string]int
}

func (c *tally) add(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ByMethod[method]++
}

// work is the worker's main function. Its last line is its tally.
func work() {
	done := &tally{ByMethod: map[string]int{}}
	app := smartservice.New("worker", smartservice.Options{})
	app.HandleFunc("/tasks/{id}", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		<-time.After(workTakes)
		done.add(r.Method)
		fmt.Fprintf(w, "%s %s%s", r.Method, r.PathValue("id"), body)
	})
	app.HandleFunc("POST /slow", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Println("slow work begins")
		<-time.After(slowWorkTakes)
		fmt.Fprint(w, "slow work is done")
	})
	app.HandleFunc("GET /greeting", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, app.Settings().String("GREETING", "hello"))
	})
	app.HandleFunc("GET /echo", echo)
	if err := app.RunArgs(context.Background(), nil); err != nil {
		smartservice.Exit(err)
	}
	text, _ := json.Marshal(done)
	fmt.Printf("\n%s\n", text)
}

// webSocketGUID is part of every handshake (RFC 6455 §1.3).
const webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + webSocketGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// echo is a WebSocket that sends back the bytes it gets.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(r.Header.Get("Sec-WebSocket-Key")))
	copyLive(buffered)
}

func copyLive(through *bufio.ReadWriter) {
	for through.Flush() == nil {
		b, err := through.ReadByte()
		if err != nil || through.WriteByte(b) != nil {
			return
		}
	}
}
