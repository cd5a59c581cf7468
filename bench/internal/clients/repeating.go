package clients

import (
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/hashicorp/go-retryablehttp"
)

// The terms of those who repeat: as many attempts and the same pauses as ours.
const (
	retriesMost = 2
	pauseLeast  = 25 * time.Millisecond
	pauseMost   = time.Second
)

func failsafely(f *Fleet) (Client, error) {
	t := newTransport()
	policy := failsafehttp.NewRetryPolicyBuilder().WithMaxRetries(retriesMost).WithBackoff(pauseLeast, pauseMost).WithJitterFactor(0.5).Build()
	return clientOf(named, failsafehttp.NewRoundTripper(inTurn{f, t}, policy), t), nil
}

func retryably(f *Fleet) (Client, error) {
	t := newTransport()
	c := retryablehttp.NewClient()
	c.HTTPClient, c.Logger = &http.Client{Transport: inTurn{f, t}}, nil
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = retriesMost, pauseLeast, pauseMost
	return Client{Base: named, Do: c.StandardClient().Do, close: t.CloseIdleConnections}, nil
}
