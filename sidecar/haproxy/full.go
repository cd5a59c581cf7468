package haproxy

import (
	"context"
	"slices"
	"time"
)

// fullWithin bounds the question whether HAProxy is full.
const fullWithin = time.Second

// Full tells whether the plane's own address has all the connections that it
// may have, so that whoever connects now waits.
func (p *Plane) Full() bool {
	ctx, cancel := context.WithTimeout(context.Background(), fullWithin)
	defer cancel()
	answers, err := p.api.ask(ctx, "show stat "+mainFront+" 1 -1")
	if err != nil {
		return false
	}
	rows, err := readStats(answers[0])
	return err == nil && slices.ContainsFunc(rows, func(row map[string]string) bool { return row["scur"] == row["slim"] })
}
