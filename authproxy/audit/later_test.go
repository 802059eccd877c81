package audit

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// What is appended later keeps its place in the order, and is there for whoever asks this
// log, and for others once it was flushed.
func TestAppendLaterKeepsTheOrder(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	lost := func(err error) { t.Errorf("lost: %v", err) }
	const n = 3 * maxLater // more than there is room for: some wait
	for i := range n {
		e := entry("tool.call")
		e.Object = fmt.Sprint(i)
		if i%7 == 0 {
			appendAll(t, l, e)
			continue
		}
		l.AppendLater(t.Context(), e, lost)
	}
	l.Flush()
	all := list(t, s.open(), Filter{})
	for i, e := range all {
		if e.Object != fmt.Sprint(i) {
			t.Fatalf("entry %d is %q", i, e.Object)
		}
	}
	if len(all) != n {
		t.Errorf("%d entries", len(all))
	}
	sound(t, l, n)
	l.AppendLater(t.Context(), entry("last"), lost)
	if got := list(t, l, Filter{Action: "last"}); len(got) != 1 {
		t.Error("the log does not know what was just appended to it")
	}
}

// Nobody has to come by for it.
func TestAppendLaterIsCommittedByItself(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l, other := s.open(), s.open()
	l.AppendLater(t.Context(), entry("tool.call"), func(err error) { t.Errorf("lost: %v", err) })
	for deadline := time.Now().Add(2 * time.Minute); len(list(t, other, Filter{})) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not there")
		}
	}
}

// What cannot be stored is told of, one by one, also when nobody waits.
func TestAppendLaterTellsOfLosses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	l := s.open()
	appendAll(t, l, entry("a.a"))
	accept := s.vanish()
	var mu sync.Mutex
	lost := 0
	const n = maxLater + 10
	for range n {
		l.AppendLater(t.Context(), entry("tool.call"), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if lost++; err == nil {
				t.Error("lost without an error")
			}
		})
	}
	l.AppendLater(t.Context(), Entry{}, func(err error) { mu.Lock(); defer mu.Unlock(); lost++ })
	l.Flush()
	mu.Lock()
	defer mu.Unlock()
	if lost != n+1 {
		t.Errorf("%d of %d losses were told of", lost, n+1)
	}
	accept()
	if seq, err := l.Append(t.Context(), entry("a.b")); seq != 3 || err != nil { // behind log.resume
		t.Errorf("afterwards: %d, %v", seq, err)
	}
	if l.queue.unawaited != 0 {
		t.Errorf("%d entries are counted for ever", l.queue.unawaited)
	}
}

// A caller that panics while it commits for others leaves nobody waiting.
func TestAppendAfterAPanic(t *testing.T) {
	t.Parallel()
	l := newStore(t).open()
	appendAll(t, l, entry("a.a"))
	now := l.config.Now
	l.config.Now = func() time.Time { panic("clock") }
	var lost error
	l.AppendLater(t.Context(), entry("a.b"), func(err error) { lost = err })
	func() {
		defer func() {
			if recover() == nil {
				t.Error("did not panic")
			}
		}()
		l.Append(t.Context(), entry("a.c"))
	}()
	if lost == nil {
		t.Error("nobody was told")
	}
	l.config.Now = now
	if seq, err := l.Append(t.Context(), entry("a.d")); seq != 2 || err != nil {
		t.Errorf("afterwards: %d, %v", seq, err)
	}
	sound(t, l, 2)
}
