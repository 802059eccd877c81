package audit

import (
	"cmp"
	"context"
)

// Origin is where a request came from. Whoever accepts requests puts it in their
// context; Append takes it from there, and so may a logger.
type Origin struct {
	RequestID string // joins the entries, the log lines and the answer of one request
	Source    string // network address of the client
	// Relay: Source is the address of a trusted proxy, which did not say for whom it asks.
	Relay bool
}

type originKey struct{}

// WithOrigin returns a context that carries o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginOf returns what [WithOrigin] put there, or the zero Origin.
func OriginOf(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// from fills in o where e does not say it itself.
func (e Entry) from(o Origin) Entry {
	e.RequestID, e.Source = cmp.Or(e.RequestID, o.RequestID), cmp.Or(e.Source, o.Source)
	return e
}
