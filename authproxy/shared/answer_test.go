package shared

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// asker asks for numbers, of which the next one is made when it is told to.
type asker struct {
	Answer[int]
	made   int
	hold   chan struct{} // makes each wait; nil: none
	failed error
}

func (a *asker) get(ctx context.Context) (int, error) {
	return a.Get(ctx, Ask[int]{Now: time.Now, Lasts: time.Second, Make: func(ctx context.Context) (int, error) {
		a.made++
		n := a.made
		if a.hold != nil {
			select {
			case <-a.hold:
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		return n, a.failed
	}})
}

// An answer is made once for all who ask within its time, and again after that; an error is not remembered.
func TestAnswerIsMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var a asker
		for i, want := range []int{1, 1, 2} {
			if got, err := a.get(t.Context()); got != want || err != nil {
				t.Errorf("%d: %d, %v, want %d", i, got, err, want)
			}
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Second)
		a.failed = errors.New("no")
		if _, err := a.get(t.Context()); err != a.failed {
			t.Errorf("an error: %v", err)
		}
		a.failed = nil
		if got, err := a.get(t.Context()); got != 4 || err != nil {
			t.Errorf("after an error: %d, %v", got, err)
		}
	})
}

// Who asks while an answer is made waits for it as long as they like, and no longer; who makes it and goes away leaves
// the others to make it.
func TestNobodyWaitsForASlowAnswerAgainstTheirWill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := asker{hold: make(chan struct{})}
		first, leave := context.WithCancel(t.Context())
		type told struct {
			n   int
			err error
		}
		ask := func(ctx context.Context) <-chan told {
			to := make(chan told, 1)
			go func() { n, err := a.get(ctx); to <- told{n, err} }()
			synctest.Wait()
			return to
		}
		maker := ask(first)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		impatient, patient, another := ask(short), ask(t.Context()), ask(t.Context())
		if got := <-impatient; !errors.Is(got.err, context.DeadlineExceeded) {
			t.Errorf("who waits for a second: %+v", got)
		}
		leave()
		if got := <-maker; !errors.Is(got.err, context.Canceled) {
			t.Errorf("who went away: %+v", got)
		}
		synctest.Wait()
		close(a.hold)
		if one, two := <-patient, <-another; one != (told{2, nil}) || two != one {
			t.Errorf("the others: %+v, %+v", one, two)
		}
	})
}

// An answer that does not fit the question is made anew, also for who waited for the other; making one that panics keeps
// nobody waiting.
func TestAnswerFits(t *testing.T) {
	t.Parallel()
	var a Answer[string]
	get := func(want string) string {
		got, err := a.Get(t.Context(), Ask[string]{Now: time.Now, Lasts: time.Hour, Fits: func(is string) bool { return is == want },
			Make: func(context.Context) (string, error) {
				if want == "" {
					panic("none")
				}
				return want, nil
			}})
		if err != nil {
			t.Error(err)
		}
		return got
	}
	for _, want := range []string{"today", "tomorrow", "today"} {
		if got := get(want); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is not the caller's")
			}
		}()
		get("")
	}()
	if got := get("again"); got != "again" {
		t.Errorf("after a panic: %q", got)
	}
}
