package authproxy

import (
	"context"
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
)

// AD-11: what somebody else stops at the same moment, or since a page was loaded, is not loosened by whoever has not seen
// it; stopping more is never refused for that.
func TestAD11NobodyLoosensAStopUnseen(t *testing.T) {
	t.Parallel()
	f := start(t, change{})
	c := f.Cutoff
	stands := func(what string, want access.Stop) access.StopSetting {
		t.Helper()
		got, err := f.Access.StopSetting(t.Context())
		if err != nil || got.Position != want {
			t.Errorf("%s: it stands at %s, %v; want %s", what, got.Position, err, want)
		}
		return got
	}
	put := func(at access.Stop) {
		t.Helper()
		if err := f.Access.SetStop(t.Context(), at, "colleague"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		seen, meanwhile, to, want access.Stop
		moved                     bool
	}{
		{access.StopOff, access.StopAll, access.StopWrites, access.StopAll, true},
		{access.StopWrites, access.StopAll, access.StopOff, access.StopAll, true},
		{access.StopAll, access.StopWrites, access.StopOff, access.StopWrites, true},
		{access.StopAll, access.StopOff, access.StopWrites, access.StopWrites, false},
		{access.StopOff, access.StopWrites, access.StopAll, access.StopAll, false},
		{access.StopOff, access.StopWrites, access.StopOff, access.StopWrites, true},
	} {
		// While the act is under way.
		put(tt.seen)
		before := len(f.audited(t, audit.StopSet))
		race := func(ctx context.Context, seen access.StopSetting, mode access.Stop, by string) error {
			put(tt.meanwhile)
			return c.Access.SetStopOver(ctx, seen, mode, by)
		}
		err := c.stop(t.Context(), tt.to, byAdmin, func(access.StopSetting) bool { return true }, race)
		if errors.Is(err, access.ErrStopMoved) != tt.moved || !tt.moved && err != nil {
			t.Errorf("%+v at the same moment: %v", tt, err)
		}
		stands("at the same moment", tt.want)
		for _, e := range f.audited(t, audit.StopSet)[before:] {
			if tt.moved && e.Outcome == audit.OK {
				t.Errorf("%+v: the log says that it was done: %+v", tt, e)
			}
		}

		// Since the page was loaded.
		put(tt.seen)
		mark := stands("as it was seen", tt.seen).Mark()
		put(tt.meanwhile)
		before = len(f.audited(t, audit.StopSet))
		err = c.StopSeen(t.Context(), mark, tt.to, byAdmin)
		if errors.Is(err, access.ErrStopMoved) != tt.moved || !tt.moved && err != nil {
			t.Errorf("%+v since it was seen: %v", tt, err)
		}
		stands("since it was seen", tt.want)
		if n := len(f.audited(t, audit.StopSet)) - before; tt.moved && n != 0 {
			t.Errorf("%+v: %d entries of what was not begun", tt, n)
		}
	}

	// What was seen can be loosened, with an intent before; also where nobody can say how it stands.
	put(access.StopAll)
	if err := c.StopSeen(t.Context(), stands("before", access.StopAll).Mark(), access.StopOff, byAdmin); err != nil {
		t.Error(err)
	}
	stands("loosened", access.StopOff)
	if all := f.audited(t, audit.StopSet); len(all) < 2 || all[len(all)-2].Outcome != audit.Intent {
		t.Errorf("without an intent: %+v", all)
	}
	if _, err := f.db.Writes.Exec(`UPDATE stops SET mac = ''`); err != nil {
		t.Fatal(err)
	}
	f.db.AwaitWatchers()
	unread, err := f.Access.StopSeen(t.Context())
	if err != nil || unread.Position != access.StopAll {
		t.Errorf("altered: %+v, %v", unread, err)
	}
	if err := c.StopSeen(t.Context(), unread.Mark(), access.StopWrites, byAdmin); err != nil {
		t.Error(err)
	}
	stands("after it was altered", access.StopWrites)
}
