package limit

import (
	"testing"
	"testing/synctest"
	"time"
)

// S11: a user may send two bodies for each call that may be under way; a third waits, and is
// refused when nothing moves. Another user's do not count.
func TestS11BodiesOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newAllowances(Limits{CallsPerMinute: 1000, ConcurrentCalls: 3}, Limits{})
		var ends []func()
		for range 6 {
			end, ok := b.Of(userOf("a")).BeginBody(t.Context())
			if !ok {
				t.Fatalf("body %d is refused", len(ends)+1)
			}
			ends = append(ends, end)
		}
		begun := time.Now()
		if _, ok := b.Of(userOf("a")).BeginBody(t.Context()); ok || time.Since(begun) != QueueTime {
			t.Errorf("the seventh body: %t after %s", ok, time.Since(begun))
		}
		if end, ok := b.Of(userOf("b")).BeginBody(t.Context()); !ok {
			t.Error("another user's body is refused")
		} else {
			end()
		}
		ends[0]()
		if end, ok := b.Of(userOf("a")).BeginBody(t.Context()); !ok {
			t.Error("when one has ended, the next is refused")
		} else {
			end()
		}
		for _, end := range ends[1:] {
			end()
		}
		if n := b.Of(userOf("a")).Bodies(); n != 0 {
			t.Errorf("%d bodies are left behind", n)
		}
	})
}

// A server without limits of its own, named or not, has none.
func TestServersWithoutLimits(t *testing.T) {
	t.Parallel()
	b := newAllowances(Limits{CallsPerMinute: 100, ConcurrentCalls: 100}, Limits{ConcurrentCalls: 1})
	for _, server := range []string{"free", "not in the table"} {
		for range 20 {
			if _, ok := b.Enter(t.Context(), userOf("a"), server); !ok {
				t.Fatalf("refused at server %q", server)
			}
		}
	}
}
