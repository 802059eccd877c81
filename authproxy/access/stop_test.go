package access

import (
	"errors"
	"testing"
	"time"
)

func TestStop(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	for _, want := range []Stop{StopOff, StopWrites, StopAll, StopOff} {
		before := f.epoch(t)
		if err := f.SetStop(ctx, want, "alice"); err != nil {
			t.Fatal(err)
		}
		if got, err := f.StopMode(ctx); err != nil || got != want {
			t.Errorf("StopMode = %v, %v; want %v", got, err, want)
		}
		if f.epoch(t) == before {
			t.Error("the access epoch did not rise")
		}
	}
	if err := f.SetStop(ctx, "some", "alice"); err == nil {
		t.Error("an unknown position was accepted")
	}
	if _, err := f.db.Writes.Exec(`DELETE FROM stops`); err != nil {
		t.Fatal(err)
	}
	if got, err := f.StopMode(ctx); err == nil || got != StopAll {
		t.Errorf("without the row: %v, %v; want all and an error", got, err)
	}
	if _, err := f.db.Writes.Exec(`INSERT INTO stops (name, value, changed_at, changed_by) VALUES ('other', 'off', 0, '')`); err != nil {
		t.Fatal(err)
	}
	if got, err := f.StopMode(ctx); err == nil || got != StopAll {
		t.Errorf("with a row of another name: %v, %v; want all and an error", got, err)
	}
	if err := f.SetStop(ctx, StopOff, "alice"); err != nil {
		t.Fatal(err)
	}
	if got, err := f.StopMode(ctx); err != nil || got != StopOff {
		t.Errorf("beside a row of another name: %v, %v", got, err)
	}
}

// D13: what another process stops is stopped here within a second, though this one
// remembers.
func TestRS10StopHoldsForOtherProcessesWithinASecond(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.remember(t)
	if err := f.beside(t).SetStop(t.Context(), StopAll, "test"); err != nil {
		t.Fatal(err)
	}
	// What counts is when a call begins; a busy machine may take longer than that for it.
	for since, begun := time.Now(), time.Duration(0); ; begun = time.Since(since) {
		if mode, err := f.StopMode(t.Context()); err == nil && mode == StopAll {
			return
		}
		if begun > time.Second {
			t.Fatalf("not stopped after %v", begun)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestStopWithoutADatabase(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.db.Reads.Close()
	if stop, err := f.StopMode(t.Context()); err == nil || stop != StopAll {
		t.Errorf("%v, %v; want all and an error", stop, err)
	}
}

// What was decided on what somebody saw is done only while that is so.
func TestStopFromWhatWasSeen(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	if err := f.SetStop(ctx, StopWrites, "alice"); err != nil {
		t.Fatal(err)
	}
	seen, err := f.StopSetting(ctx)
	if err != nil || seen.Position != StopWrites || seen.By != "alice" || seen.At.IsZero() {
		t.Fatalf("%+v, %v", seen, err)
	}
	if err := f.SetStop(ctx, StopAll, "bob"); err != nil {
		t.Fatal(err)
	}
	if err := f.SetStopFrom(ctx, seen, StopOff, "alice"); !errors.Is(err, ErrStopMoved) {
		t.Errorf("somebody else set it meanwhile: %v", err)
	}
	if seen, err = f.StopSetting(ctx); err != nil || seen.Position != StopAll {
		t.Errorf("%+v, %v", seen, err)
	}
	if err := f.SetStopFrom(ctx, seen, StopOff, "alice"); err != nil {
		t.Error(err)
	}
	if got, err := f.StopMode(ctx); err != nil || got != StopOff {
		t.Errorf("%v, %v", got, err)
	}
}

// The positions have one order, and no other text is one.
func TestStopOrder(t *testing.T) {
	t.Parallel()
	order := []Stop{StopOff, StopWrites, StopAll}
	for i, s := range order {
		for j, other := range order {
			if s.StopsMoreThan(other) != (i > j) || s.Validate() != nil {
				t.Errorf("%s stops more than %s: %t", s, other, s.StopsMoreThan(other))
			}
		}
	}
	if Stop("some").Validate() == nil {
		t.Error("an unknown position is one")
	}
}
