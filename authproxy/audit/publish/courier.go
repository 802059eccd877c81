package publish

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// State is how a place is doing.
type State struct {
	Place string // for people
	// Size is that of the newest checkpoint that the place was given by this process, At when
	// it was; -1 and zero before the first.
	Size int64
	At   time.Time
	// Behind is since when there has been a newer one that the place has not got; zero if it
	// has the newest.
	Behind time.Time
	// Failed is what the last attempt failed with; "" after one that succeeded.
	Failed string
	// Failures is how many attempts have failed since one succeeded.
	Failures int
}

// courier carries checkpoints to one place.
type courier struct {
	place   Place
	config  *Config
	offered chan struct{} // there is something to send
	hurry   chan struct{} // do not pause
	checked bool          // what the place had was judged; of the goroutine that sends

	mu    sync.Mutex
	next  *Checkpoint   // nil: nothing is to be sent
	tried chan struct{} // closed, and replaced, after each attempt
	state State
}

func (k *courier) offer(c Checkpoint) {
	k.mu.Lock()
	k.next = &c
	if k.state.Behind.IsZero() {
		k.state.Behind = k.config.Now()
	}
	k.mu.Unlock()
	signal(k.offered)
}

// run sends what is offered until ctx ends.
func (k *courier) run(ctx context.Context) {
	var wait, pause time.Duration
	for k.rest(ctx, wait) {
		k.mu.Lock()
		next := k.next
		k.mu.Unlock()
		if next == nil {
			wait = 0
			continue
		}
		err := k.send(ctx, *next)
		if ctx.Err() != nil {
			return
		}
		k.note(next, err)
		if err == nil {
			wait, pause = k.config.Every, 0
		} else {
			pause = pauseAfter(pause)
			wait = pause/2 + upTo(pause/2) // neither all replicas nor all places try at the same moment
		}
	}
}

// rest waits so long, or without a time until something is offered. It says whether to go on.
func (k *courier) rest(ctx context.Context, wait time.Duration) bool {
	if wait == 0 {
		select {
		case <-ctx.Done():
			return false
		case <-k.offered:
			return true
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-k.hurry:
	}
	return true
}

func pauseAfter(pause time.Duration) time.Duration {
	if pause == 0 {
		return firstPause
	}
	return min(2*pause, longPause)
}

func (k *courier) send(ctx context.Context, c Checkpoint) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	if err := k.check(ctx, c); err != nil {
		return err
	}
	return k.place.Publish(ctx, c)
}

// check has judged what the place has, unless that was done or c comes instead.
func (k *courier) check(ctx context.Context, c Checkpoint) error {
	if k.checked || c.Instead || k.config.Check == nil {
		return nil
	}
	signed, err := k.place.Latest(ctx, c)
	if err != nil && !errors.Is(err, ErrNone) && !errors.Is(err, ErrContradicted) {
		return fmt.Errorf("looking at what is there: %w", err)
	}
	if err := k.config.Check(Found{Place: k.place.String(), Signed: signed, Err: err}); err != nil {
		return fmt.Errorf("%w: %w", ErrContradicted, err)
	}
	k.checked = true
	return nil
}

// note keeps how an attempt to send that checkpoint ended, and tells of changes.
func (k *courier) note(sent *Checkpoint, err error) {
	k.mu.Lock()
	before := k.state
	if err == nil {
		k.state.Size, k.state.At, k.state.Failed, k.state.Failures = sent.Size, k.config.Now(), "", 0
		k.state.Behind = time.Time{}
		if k.next == sent {
			k.next = nil
		} else { // a newer one has come meanwhile
			k.state.Behind = k.state.At
			signal(k.offered)
		}
	} else {
		k.state.Failed = err.Error()
		k.state.Failures++
	}
	close(k.tried)
	k.tried = make(chan struct{})
	k.mu.Unlock()

	if err != nil && before.Failed == "" {
		k.config.Log.Warn("a checkpoint does not reach its place", "place", before.Place, "error", err)
	} else if err == nil && before.Failed != "" {
		k.config.Log.Info("checkpoints reach their place again", "place", before.Place, "failures", before.Failures)
	}
	if errors.Is(err, ErrContradicted) && k.config.Contradicted != nil {
		k.config.Contradicted(before.Place, err)
	}
}

// wait returns when the place has what it was offered, or says what it lacks when ctx ends.
func (k *courier) wait(ctx context.Context) error {
	for {
		k.mu.Lock()
		next, tried, failed := k.next, k.tried, k.state.Failed
		k.mu.Unlock()
		if next == nil {
			return nil
		}
		select {
		case <-tried:
		case <-ctx.Done():
			return fmt.Errorf("%s lacks the checkpoint of %d records: %s", k.place, next.Size, failed)
		}
	}
}

// upTo is a random time from 0 to most.
func upTo(most time.Duration) time.Duration {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return time.Duration(binary.NativeEndian.Uint64(b[:]) % uint64(most+1))
}
