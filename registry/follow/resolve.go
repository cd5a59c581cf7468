package follow

import (
	"context"
	"fmt"

	"fairlead.dev/registry"
)

// Resolve implements [registry.Resolver]. A service with instances is answered
// from memory, without a lock or an allocation. Errors leave it to the caller to
// say which service of which realm it asked for.
func (f *Follower) Resolve(ctx context.Context, service string) (*registry.Service, error) {
	if s := f.view.Load().table.Service(service); s.Len() > 0 {
		return s, nil
	}
	return f.resolveFirst(ctx, service)
}

// resolveFirst is for services that have no instance, as far as is known.
func (f *Follower) resolveFirst(ctx context.Context, service string) (*registry.Service, error) {
	if err := registry.ValidateName("service", service); err != nil {
		return nil, fmt.Errorf("%w: %w", registry.ErrNoSuchService, err)
	}
	ctx, cancel := context.WithTimeout(ctx, f.opts.FirstAnswer)
	defer cancel()
	in, err := f.interestIn(ctx, service)
	if err == nil {
		err = f.waitFirst(ctx, in)
	}
	if err != nil {
		return nil, err
	}
	if s := f.view.Load().table.Service(service); s.Len() > 0 {
		return s, nil
	}
	return nil, registry.ErrNoSuchService
}

// interestIn returns the interest that covers a service, a new one if need be.
func (f *Follower) interestIn(ctx context.Context, service string) (*interest, error) {
	if f.opts.WholeRealm {
		return f.view.Load().interests[""], nil
	}
	if in := f.view.Load().interests[service]; in != nil {
		in.use()
		return in, nil
	}
	reply := make(chan *interest, 1)
	f.inbox.put(message{want: &want{service: service, reply: reply}})
	select {
	case in := <-reply:
		return in, nil
	case <-f.done:
		return nil, fmt.Errorf("%w: the table is closed", registry.ErrNeverSeen)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", registry.ErrNeverSeen, ctx.Err())
	}
}

func (in *interest) use() {
	if !in.used.Load() {
		in.used.Store(true)
	}
}

// waitFirst waits until the registry has spoken of an interest.
func (f *Follower) waitFirst(ctx context.Context, in *interest) error {
	select {
	case <-in.first:
		return nil
	default:
	}
	select {
	case <-in.first:
		return nil
	case <-f.done:
		return fmt.Errorf("%w: the table is closed", registry.ErrNeverSeen)
	case <-ctx.Done():
		return in.neverSeen(ctx.Err())
	}
}

func (in *interest) neverSeen(why error) error {
	if problem := in.problem.Load(); problem != nil {
		return fmt.Errorf("%w: %w: %w", registry.ErrNeverSeen, why, *problem)
	}
	return fmt.Errorf("%w: %w", registry.ErrNeverSeen, why)
}
