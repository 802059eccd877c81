package access

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
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

// AD-11: what another process is just about to store is waited for, and not loosened by whoever has seen what was before; also
// where somebody has removed the row of the switch, or is removing it, so that there is none to be locked.
func TestAD11ProcessesLoosenNoStopThatIsBeingSet(t *testing.T) {
	t.Parallel()
	f := open(t)
	if !f.db.Shared() {
		t.Skip("a file has one writer at a time")
	}
	ctx := t.Context()
	const remove = `DELETE FROM stops WHERE name = 'mode'`
	other := func(at time.Time) []any {
		return []any{db.Millis(at), f.db.MAC(db.Stops, "mode", StopAll, db.Millis(at), "bob")}
	}
	for name, tt := range map[string]struct {
		before    string // what is done before anybody looks
		statement string // what another process does just then
		altered   bool   // so that nobody can say how the switch stands
	}{
		"set":             {"", `UPDATE stops SET value = 'all', changed_at = $1, changed_by = 'bob', mac = $2 WHERE name = 'mode'`, false},
		"set anew":        {remove, `INSERT INTO stops (name, value, changed_at, changed_by, mac) VALUES ('mode', 'all', $1, 'bob', $2)`, false},
		"removed":         {"", remove, true},
		"changed by hand": {"", `UPDATE stops SET value = 'all' WHERE name = 'mode'`, true},
	} {
		for how, set := range map[string]func(seen StopSetting) error{
			"over": func(seen StopSetting) error { return f.beside(t).SetStopOver(ctx, seen, StopOff, "alice") },
			"from": func(seen StopSetting) error { return f.beside(t).SetStopFrom(ctx, seen, StopOff, "alice") },
		} {
			if err := f.SetStop(ctx, StopWrites, "alice"); err != nil {
				t.Fatal(err)
			}
			if tt.before != "" {
				if _, err := f.db.Writes.ExecContext(ctx, tt.before); err != nil {
					t.Fatal(err)
				}
			}
			seen, err := f.StopSeen(ctx)
			if err != nil {
				t.Fatal(err)
			}
			tx, err := f.db.Writes.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			args := []any{}
			if strings.Contains(tt.statement, "$") {
				args = other(f.now().Add(time.Second))
			}
			if _, err := tx.ExecContext(ctx, tt.statement, args...); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- set(seen) }()
			for waits := false; !waits; time.Sleep(5 * time.Millisecond) {
				if err := f.db.Reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())`).Scan(&waits); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, ErrStopMoved) {
				t.Errorf("%s, %s: %v", name, how, err)
			}
			if set, err := f.StopSetting(ctx); errors.Is(err, ErrStopAltered) != tt.altered || !tt.altered && set.Position != StopAll {
				t.Errorf("%s, %s: it stands at %+v, %v", name, how, set, err)
			}
		}
	}
}

// AD-11: a switch whose row was removed or changed stops everything, and is set by whoever has seen that, once.
func TestAD11StopIsSetAnew(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	for _, alter := range []string{`DELETE FROM stops WHERE name = 'mode'`, `UPDATE stops SET mac = 'x' WHERE name = 'mode'`} {
		for how, set := range map[string]func(context.Context, StopSetting, Stop, string) error{"over": f.SetStopOver, "from": f.SetStopFrom} {
			if _, err := f.db.Writes.ExecContext(ctx, alter); err != nil {
				t.Fatal(err)
			}
			seen, err := f.StopSeen(ctx)
			if err != nil || seen != (StopSetting{Position: StopAll}) {
				t.Fatalf("%s: %+v, %v", alter, seen, err)
			}
			if err := set(ctx, seen, StopWrites, "alice"); err != nil {
				t.Errorf("%s, %s: %v", alter, how, err)
			}
			if err := set(ctx, seen, StopOff, "bob"); !errors.Is(err, ErrStopMoved) {
				t.Errorf("%s, %s: by somebody else as well: %v", alter, how, err)
			}
			if is, err := f.StopSetting(ctx); err != nil || is.Position != StopWrites || is.By != "alice" {
				t.Errorf("%s, %s: %+v, %v", alter, how, is, err)
			}
		}
	}
}

// AD-11, FT-46: everything can be stopped while nobody can say how the switch stands, because it is under a key that the
// key file lacks; nothing can be loosened.
func TestAD11StopWithoutKnowingHowItStands(t *testing.T) {
	t.Parallel()
	f := open(t)
	ctx := t.Context()
	seen := StopSetting{Position: StopAll}
	away := func() {
		t.Helper()
		mac := f.db.MAC(db.Stops, "mode", StopOff, int64(1), "carol")
		if _, err := f.db.Writes.ExecContext(ctx, `UPDATE stops SET value = 'off', changed_at = 1, changed_by = 'carol', mac = $1`, "kother"+mac[strings.IndexByte(mac, ':'):]); err != nil {
			t.Fatal(err)
		}
	}
	away()
	if _, err := f.StopSeen(ctx); !errors.Is(err, db.ErrKeyMissing) {
		t.Errorf("how it stands: %v", err)
	}
	for _, to := range []Stop{StopOff, StopWrites} {
		if err := f.SetStopOver(ctx, seen, to, "alice"); !errors.Is(err, db.ErrKeyMissing) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if err := f.SetStopOver(ctx, seen, StopAll, "alice"); err != nil {
		t.Errorf("everything: %v", err)
	}
	if set, err := f.StopSetting(ctx); err != nil || set.Position != StopAll || set.By != "alice" {
		t.Errorf("%+v, %v", set, err)
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
