package smartclient

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Result is what became of one of several calls.
type Result[T any] struct {
	Value T
	Err   error
}

// FanOut calls do for each input, at most limit at a time (at least one), and
// returns the results in the order of the inputs. One that fails does not end
// the others. When ctx ends, those that have not begun fail with its cause, and
// FanOut returns when the others have ended.
//
//	users := smartclient.FanOut(ctx, 8, ids, func(ctx context.Context, id string) (User, error) {
//		return smartclient.GetJSON[User](ctx, client, "service://identity/users/"+id)
//	})
func FanOut[In, Out any](ctx context.Context, limit int, inputs []In, do func(context.Context, In) (Out, error)) []Result[Out] {
	results := make([]Result[Out], len(inputs))
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(inputs)); i = next.Add(1) - 1 {
			if ctx.Err() != nil {
				results[i].Err = context.Cause(ctx)
				continue
			}
			results[i].Value, results[i].Err = do(ctx, inputs[i])
		}
	}
	var workers sync.WaitGroup
	for range min(max(limit, 1), len(inputs)) {
		workers.Go(work)
	}
	workers.Wait()
	return results
}
