// Command gateway runs the sample service that asks identity.
package main

import (
	"context"
	"os"

	"fairlead.dev/examples/gateway"
	"fairlead.dev/smartservice"
)

func main() {
	smartservice.Exit(gateway.Run(context.Background(), os.Args[1:]))
}
