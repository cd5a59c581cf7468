package smartclient

import (
	"context"
	"net/textproto"
)

// A Progress is how a call comes along, for whoever passes calls on: a proxy
// passes interim answers on, and counts by instance.
type Progress struct {
	// Interim is called with each 1xx answer but 101, before RoundTrip
	// returns or after; its error ends the attempt. The first argument is the
	// status.
	Interim func(status int, header textproto.MIMEHeader) error
	// Instance is the id of where the last attempt went, once RoundTrip has
	// returned; "" if there was none.
	Instance string
}

// WithProgress has calls with the context tell how they come along. A Progress
// serves one call at a time.
func WithProgress(ctx context.Context, p *Progress) context.Context {
	return carrying(ctx, func(c *carried) { c.progress = p })
}
