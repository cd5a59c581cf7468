package smartclient

import (
	"context"
	"fmt"
	"io"
	"testing"
)

func TestErrorType(t *testing.T) {
	for want, err := range map[string]error{
		"timeout":             context.DeadlineExceeded,
		"canceled":            fmt.Errorf("read: %w", context.Canceled),
		"*errors.errorString": io.EOF,
	} {
		if got := errorType(err); got != want {
			t.Errorf("%v is of type %s, want %s", err, got, want)
		}
	}
}
