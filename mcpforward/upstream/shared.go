package upstream

import "context"

// shared is one piece of work that several callers wait for. It does not end with
// the context of the caller that began it.
type shared[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// share returns the work that *place holds, or begins run there. It is called with
// p.mu held. When run has succeeded, keep is called with p.mu held; then the place is
// free again.
func share[T any](p *Pool, place **shared[T], run func() (T, error), keep func(T)) *shared[T] {
	if *place != nil {
		return *place
	}
	w := &shared[T]{done: make(chan struct{})}
	*place = w
	begun := p.backgroundLocked(func() {
		defer close(w.done)
		w.value, w.err = run()
		p.mu.Lock()
		defer p.mu.Unlock()
		if w.err == nil {
			keep(w.value)
		}
		*place = nil
	})
	if !begun {
		*place = nil
		w.err = &Error{Kind: Canceled, Reason: "call was ended", Err: ErrClosed}
		close(w.done)
	}
	return w
}

// wait returns what came of the work, or the error of ctx if that ends earlier.
func (w *shared[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-w.done:
		return w.value, w.err
	case <-ctx.Done():
		var none T
		return none, &ended(ctx).Error
	}
}
