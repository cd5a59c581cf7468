// Command caddy is Caddy with nothing but its reverse proxy, as one peer of
// bench-sidecar. It is a module of its own, so that nothing else has to fetch
// what Caddy needs.
//
//	caddy CONFIG.json
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = caddy.Load(text, true)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
