package smartclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"fairlead.dev/smartclient"
)

func TestObserverHearsEveryAttempt(t *testing.T) {
	good, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "secret"})
		w.Header().Set("X-Answer", "42")
		w.WriteHeader(http.StatusCreated)
	})
	var heard []smartclient.Observation
	observer := smartclient.NewObserver(func(o smartclient.Observation) { heard = append(heard, o) }, 0)
	o := options(newRealm(in("here", at("bad", refusing(t))), at("good", good)))
	o.Observer = observer
	req := newRequest(t, "POST", "service://anna:secret@identity/users?x=1", bodyText)
	req.Header.Set("X-Question", "6×7")
	resp, err := newClient(t, o).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for range 2 {
		if err := observer.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(heard) != 2 || observer.Dropped() != 0 {
		t.Fatalf("heard %d, dropped %d", len(heard), observer.Dropped())
	}
	for i, one := range heard {
		if one.Service != "identity" || one.Realm != "test" || one.Attempt != i+1 || one.Method != "POST" || one.Began.IsZero() || one.Took <= 0 ||
			one.URL != "service://anna:xxxxx@identity/users?x=1" || one.Request.Get("X-Question") != "6×7" || one.Request.Get("Authorization") != "masked" {
			t.Errorf("attempt %d: %+v", i, one)
		}
	}
	if first := heard[0]; first.Instance != "bad" || first.Err == nil || first.Status != 0 {
		t.Errorf("the first: %+v", first)
	}
	if second := heard[1]; second.Instance != "good" || second.Err != nil || second.Status != 201 || second.Response.Get("X-Answer") != "42" ||
		second.Response.Get("Set-Cookie") != "masked" || second.Request.Get("Fairlead-Attempt") != "2" {
		t.Errorf("the second: %+v", second)
	}
	if resp.Header.Get("Set-Cookie") == "masked" {
		t.Error("the caller's answer lost its cookie")
	}
}

// A slow observer loses observations, and requests no time.
func TestSlowObserversDropAndCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		release := make(chan struct{})
		heard := 0
		observer := smartclient.NewObserver(func(smartclient.Observation) {
			<-release
			heard++
		}, 2)
		o := options(newRealm(at("a", "http://10.0.0.1:1")))
		o.Base = roundTrip(func(req *http.Request) (*http.Response, error) { return answer(req, 200, nil), nil })
		o.Observer, o.MeterProvider = observer, sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		c := smartclient.New(o)
		warm(t, c)
		synctest.Wait() // now the observer is busy with it
		for range 5 {
			warm(t, c)
		}
		if observer.Dropped() != 3 || sums(t, reader)["fairlead.client.observations.dropped"] != 3 {
			t.Errorf("dropped %d, counted %v; want 3", observer.Dropped(), sums(t, reader))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := observer.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close while it is busy: %v", err)
		}
		close(release)
		if err := observer.Close(t.Context()); err != nil || heard != 3 {
			t.Errorf("%v after %d", err, heard)
		}
		warm(t, c) // nobody listens, and nothing happens
		if observer.Dropped() != 3 {
			t.Errorf("dropped %d after the end", observer.Dropped())
		}
	})
}

func ExampleNewObserver() {
	resolver, stop := startIdentity()
	defer stop()
	observer := smartclient.NewObserver(func(o smartclient.Observation) {
		fmt.Println(o.Method, o.URL, "at", o.Instance, "said", o.Status)
	}, 0)
	client := smartclient.New(smartclient.Options{Realm: "local", Resolver: resolver, Observer: observer})
	defer client.CloseIdleConnections()

	resp, err := client.Get("service://identity/users/1")
	if err == nil {
		resp.Body.Close()
	}
	_ = observer.Close(context.Background())
	// Output: GET service://identity/users/1 at host001-5000 said 200
}
