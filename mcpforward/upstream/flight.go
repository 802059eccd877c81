package upstream

import "context"

// flight is one piece of work that several callers wait for. It does not end with
// the context of the caller that started it.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// fly returns the flight that *place holds, or starts one there. It is called
// with p.mu held. When run returns, land is called with p.mu held, then the
// place is free again.
func fly[T any](p *Pool, place **flight[T], run func() (T, error), land func(T)) *flight[T] {
	if *place != nil {
		return *place
	}
	f := &flight[T]{done: make(chan struct{})}
	*place = f
	started := p.backgroundLocked(func() {
		defer close(f.done)
		f.value, f.err = run()
		p.mu.Lock()
		defer p.mu.Unlock()
		if f.err == nil {
			land(f.value)
		}
		*place = nil
	})
	if !started {
		*place = nil
		f.err = &Error{Kind: Canceled, Reason: "call was ended", Err: ErrClosed}
		close(f.done)
	}
	return f
}

// wait returns the flight's outcome, or the error of ctx if that ends earlier.
func (f *flight[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, &ended(ctx).Error
	}
}
