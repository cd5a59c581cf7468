package attend

import (
	"context"
	"errors"
	"net/http"
)

// ErrRegistersItself says that the program was left alone because it does
// itself what an attendant would do for it.
var ErrRegistersItself = errors.New("the program registers itself")

// What a program says of itself on its health answers if it registers itself.
const (
	instanceHeader    = "Fairlead-Instance"
	incarnationHeader = "Fairlead-Incarnation"
)

// livePath is where such programs answer, whatever they are checked by.
const livePath = "/health/live"

// An identifier tells whether a program registers itself, and as what.
type identifier func(context.Context) (as string, itself bool)

// identifierOf asks where the program is checked, and where one that registers
// itself would answer. One that does not even speak HTTP has said no.
func identifierOf(s Spec) identifier {
	paths := []string{livePath}
	if s.Registration.Health != "" {
		paths = append([]string{s.Registration.Health}, paths...)
	}
	client := newHTTPClient()
	return func(ctx context.Context) (string, bool) {
		ctx, cancel := context.WithTimeout(ctx, s.Check.Timeout)
		defer cancel()
		for _, path := range paths {
			if as, itself := identify(ctx, client, s.Registration.Endpoint()+path); itself {
				return as, true
			}
		}
		return "", false
	}
}

func identify(ctx context.Context, client *http.Client, url string) (as string, itself bool) {
	resp, err := getHealth(ctx, client, url)
	if err != nil {
		return "", false
	}
	_ = resp.Body.Close()
	return resp.Header.Get(instanceHeader), resp.Header.Get(incarnationHeader) != ""
}
