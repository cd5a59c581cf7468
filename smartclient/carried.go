package smartclient

import "context"

// What a context carries for the calls made with it is one value: every call
// looks for it, and a context is searched link by link.
type carried struct {
	attempt  int // in whose service the call is made, 0 if that is not known
	routes   Routes
	progress *Progress // nil if nobody asks
}

type carriedKey struct{}

func carriedBy(ctx context.Context) carried {
	if c, ok := ctx.Value(carriedKey{}).(*carried); ok {
		return *c
	}
	return carried{}
}

// carrying returns a context that carries something more.
func carrying(ctx context.Context, add func(*carried)) context.Context {
	c := carriedBy(ctx)
	add(&c)
	return context.WithValue(ctx, carriedKey{}, &c)
}
