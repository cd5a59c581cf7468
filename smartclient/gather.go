package smartclient

import (
	"errors"
	"fmt"
	"net/http"
)

// All waits for the answers of all futures and returns them in their order. An
// answer of any status is one. Once a request has none, the others are
// cancelled, their answers closed, and its error returned.
func All(futures ...*Future) ([]*http.Response, error) {
	for f := range settled(futures) {
		if _, err := f.Wait(); err != nil {
			cancelAll(futures)
			return nil, err
		}
	}
	answers := make([]*http.Response, len(futures))
	for i, f := range futures {
		answers[i], _ = f.Wait()
	}
	return answers, nil
}

var errNoFutures = errors.New("no requests to wait for")

// First waits for the first success, an answer below status 400, returns it and
// cancels the others. If there is none it returns the errors of all, those of
// answers as a [*Problem].
func First(futures ...*Future) (*http.Response, error) {
	failures := errNoFutures
	if len(futures) > 0 {
		failures = nil
	}
	for f := range settled(futures) {
		resp, err := f.Wait()
		switch {
		case err != nil:
		case resp.StatusCode >= 400:
			err = ReadProblem(resp)
		default:
			cancelOthers(futures, f)
			return resp, nil
		}
		failures = errors.Join(failures, err)
	}
	return nil, fmt.Errorf("no request succeeded: %w", failures)
}

// settled yields futures as they are settled. A goroutine that waits for one
// ends with it, whether or not anybody still listens.
func settled(futures []*Future) func(yield func(*Future) bool) {
	return func(yield func(*Future) bool) {
		all := make(chan *Future, len(futures))
		for _, f := range futures {
			go func() {
				<-f.done
				all <- f
			}()
		}
		for range futures {
			if !yield(<-all) {
				return
			}
		}
	}
}

func cancelAll(futures []*Future) { cancelOthers(futures, nil) }

func cancelOthers(futures []*Future, but *Future) {
	for _, f := range futures {
		if f != but {
			f.drop()
		}
	}
}

// drop ends a future for good, its answer too if somebody has it already.
func (f *Future) drop() {
	f.cancel()
	select {
	case <-f.done:
		if f.resp != nil {
			_ = f.resp.Body.Close()
		}
	default: // it settles on an ended context, which gives the answer up
	}
}
