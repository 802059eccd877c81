package publish

import (
	"context"
	"sync"
)

// Found is what a place has of a log.
type Found struct {
	Place  string
	Signed []byte // nil with an error
	Err    error  // [ErrNone] if it was reached and has none, [ErrContradicted] if it says so itself
}

// Latest asks all places at once what they have of the log whose newest checkpoint here is c,
// in the order of the configuration. Each has as long as an attempt to publish may take.
func (p *Publisher) Latest(ctx context.Context, c Checkpoint) []Found {
	all := make([]Found, len(p.config.Places))
	var asked sync.WaitGroup
	for i, place := range p.config.Places {
		answered := make(chan Found, 1) // of a place that hangs, nobody reads it
		go func() {
			ctx, cancel := context.WithTimeout(ctx, attemptTime)
			defer cancel()
			signed, err := place.Latest(ctx, c)
			answered <- Found{place.String(), signed, err}
		}()
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, attemptTime)
			defer cancel()
			select {
			case all[i] = <-answered:
			case <-ctx.Done():
				all[i] = Found{Place: place.String(), Err: ctx.Err()}
			}
		})
	}
	asked.Wait()
	return all
}
