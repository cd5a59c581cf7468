package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/rpc"
	"time"

	"fairlead.dev/bench/internal/clock"
	"fairlead.dev/bench/internal/process"
	"fairlead.dev/bench/internal/systems"
)

// A Worker is a process that drives one system's clients.
type Worker struct {
	child *process.Child
	rpc   *rpc.Client
}

// Start starts a worker; log is the file that gets what it says.
func Start(self, log string, job Job) (*Worker, error) {
	// A struct of strings and numbers always encodes.
	text, _ := json.Marshal(job)
	child, err := process.Start(process.Spec{Path: self, Args: []string{"worker", string(text)}, Log: log, Talks: true})
	if err != nil {
		return nil, err
	}
	return &Worker{child: child, rpc: rpc.NewClient(child)}, nil
}

// ParseJob reads what [Start] gave a worker as its argument.
func ParseJob(text string) (Job, error) {
	var job Job
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return Job{}, fmt.Errorf("worker: %w", err)
	}
	return job, nil
}

// Child is the worker's process.
func (w *Worker) Child() *process.Child { return w.child }

// Kill ends the worker at once.
func (w *Worker) Kill() {
	w.child.Kill()
	_ = w.rpc.Close()
}

func (w *Worker) call(ctx context.Context, method string, args, reply any) error {
	call := w.rpc.Go("Worker."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if call.Error == io.ErrUnexpectedEOF || call.Error == rpc.ErrShutdown {
		return fmt.Errorf("worker died: %w", call.Error)
	}
	return call.Error
}

// Dial opens connections.
func (w *Worker) Dial(ctx context.Context, count int) error {
	return w.call(ctx, "Dial", count, &None{})
}

// Follow starts listeners and returns when all their tables are complete.
func (w *Worker) Follow(ctx context.Context, service string, listeners int) error {
	return w.call(ctx, "Follow", FollowArgs{service, listeners}, &None{})
}

// Keep registers instances and keeps them registered.
func (w *Worker) Keep(ctx context.Context, all []systems.Instance) error {
	return w.call(ctx, "Keep", all, &None{})
}

// Expect replaces the states that listeners are to reach.
func (w *Worker) Expect(ctx context.Context, all map[systems.Key]systems.State) error {
	return w.call(ctx, "Expect", all, &None{})
}

// Reached waits until every listener reached what is expected of an instance,
// or the bound is over, and returns when each did; zero is never.
func (w *Worker) Reached(ctx context.Context, k systems.Key, within time.Duration) (times []clock.Instant, err error) {
	err = w.call(ctx, "Reached", ReachedArgs{k, within}, &times)
	return times, err
}

// Census waits until every table equals the truth, or the bound is over.
func (w *Worker) Census(ctx context.Context, truth map[systems.Key]systems.State, within time.Duration) (c Census, err error) {
	err = w.call(ctx, "Census", CensusArgs{truth, within}, &c)
	return c, err
}

// Flip flips one instance.
func (w *Worker) Flip(ctx context.Context, args FlipArgs) (span Span, err error) {
	err = w.call(ctx, "Flip", args, &span)
	return span, err
}

// Flips flips many instances by many writers.
func (w *Worker) Flips(ctx context.Context, args FlipsArgs) (span Span, err error) {
	err = w.call(ctx, "Flips", args, &span)
	return span, err
}

// Register registers new instances for a time.
func (w *Worker) Register(ctx context.Context, args RegisterArgs) (done Registered, err error) {
	err = w.call(ctx, "Register", args, &done)
	return done, err
}

// Load makes fresh tables.
func (w *Worker) Load(ctx context.Context, args LoadArgs) (took []time.Duration, err error) {
	err = w.call(ctx, "Load", args, &took)
	return took, err
}
