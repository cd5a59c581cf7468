// Command identity runs the sample service of users.
package main

import (
	"context"
	"os"

	"fairlead.dev/examples/identity"
	"fairlead.dev/smartservice"
)

func main() {
	smartservice.Exit(identity.Run(context.Background(), os.Args[1:]))
}
