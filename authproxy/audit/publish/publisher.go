package publish

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Times of a place that cannot be reached: how long an attempt may take, and the pause after
// the first and after many failures.
const (
	attemptTime = 15 * time.Second
	firstPause  = time.Second
	longPause   = 2 * time.Minute
)

// Config is what a Publisher needs.
type Config struct {
	Places []Place
	// Every is how long a place is left alone after it got one; Flush does not wait for that.
	Every time.Duration
	Log   *slog.Logger
	Now   func() time.Time
	// Check, if there is one, judges what a place has when it is reached for the first time,
	// before anything is sent there: an error says that this log cannot have followed it. Then
	// nothing is sent. So a place that was out of reach at start is not written over.
	Check func(Found) error
	// Contradicted, if there is one, is called when a place says that it knows better than
	// this log ([ErrContradicted]).
	Contradicted func(place string, err error)
}

// Publisher carries checkpoints to places until it is closed.
type Publisher struct {
	config   Config
	couriers []*courier
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Start begins to carry. Nothing is sent before the first Publish.
func Start(c Config) *Publisher {
	ctx, stop := context.WithCancel(context.Background())
	p := &Publisher{config: c, stop: stop}
	for _, place := range c.Places {
		k := &courier{place: place, config: &p.config, offered: make(chan struct{}, 1), hurry: make(chan struct{}, 1), tried: make(chan struct{})}
		k.state = State{Place: place.String(), Size: -1}
		p.couriers = append(p.couriers, k)
		p.running.Go(func() { k.run(ctx) })
	}
	return p
}

// Publish gives the places a newer checkpoint. It waits for none of them; one that is still
// busy gets the newest of those that it has missed.
func (p *Publisher) Publish(c Checkpoint) {
	for _, k := range p.couriers {
		k.offer(c)
	}
}

// States says how each place is doing, in the order of the configuration.
func (p *Publisher) States() []State {
	all := make([]State, len(p.couriers))
	for i, k := range p.couriers {
		k.mu.Lock()
		all[i] = k.state
		k.mu.Unlock()
	}
	return all
}

// Flush waits until every place has the newest checkpoint, or until ctx ends, and tries at
// once where it was pausing. It returns what the places lack that have not got it.
func (p *Publisher) Flush(ctx context.Context) error {
	var all []error
	for _, k := range p.couriers {
		signal(k.hurry)
	}
	for _, k := range p.couriers {
		all = append(all, k.wait(ctx))
	}
	return errors.Join(all...)
}

// Close ends what is being sent. It does not wait for a mount that hangs longer than ctx.
func (p *Publisher) Close(ctx context.Context) error {
	p.stop()
	ended := make(chan struct{})
	go func() {
		p.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return errors.New("a place of checkpoints still hangs")
	}
}

// signal puts a remark into a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is there already
	}
}
