package grant

import (
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest"
)

// What a sweep could not write down is written down by the next one: the last use of a grant, and not a later
// one's.
func TestSweepThatFailsForgetsNoUse(t *testing.T) {
	t.Parallel()
	f := open(t)
	first, second := f.tokens(t, testSubject), f.tokens(t, otherSubject)
	f.clock.Add(time.Minute)
	used := f.clock.Now()
	f.opens(t, first, true)
	f.opens(t, second, true)
	accept := dbtest.Refuse(t, f.db, "grants")
	if err := f.Sweep(t.Context()); err == nil {
		t.Fatal("it wrote on a full disk")
	}
	accept()
	f.clock.Add(time.Minute)
	again := f.clock.Now()
	f.opens(t, second, true)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]time.Time{first.Grant.ID: used, second.Grant.ID: again} {
		if g, err := f.Grant(t.Context(), id); err != nil || !g.LastUsedAt.Equal(want) {
			t.Errorf("last used at %v, want %v (%v)", g.LastUsedAt, want, err)
		}
	}
}

// A grant whose code nobody has redeemed is revoked while a sweep is under way, after that has deleted the
// codes of those that ended. The sweep leaves it to the next one and does everything else.
func TestSweepBesideARevocation(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("on SQLite a sweep is alone")
	}
	f, ctx := open(t), t.Context()
	if _, err := f.Requests.Open(ctx, authorizeRequest(), "browser"); err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.Consent)
	id, _ := f.code(t, testSubject)
	before, err := f.db.Writes.Begin() // holds up the sweep where it deletes the request
	if err != nil {
		t.Fatal(err)
	}
	defer before.Rollback()
	if _, err := before.Exec(`SELECT 1 FROM authorization_requests WHERE expires_at <= $1 FOR UPDATE`, f.millis()); err != nil {
		t.Fatal(err)
	}
	swept := make(chan error, 1)
	go func() { swept <- f.Sweep(ctx) }()
	for waits := 0; waits == 0 && len(swept) == 0; time.Sleep(time.Millisecond) {
		if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.RevokeGrant(ctx, id, "test"); err != nil {
		t.Error(err)
	}
	if err := before.Rollback(); err != nil {
		t.Error(err)
	}
	if err := <-swept; err != nil {
		t.Error(err)
	}
	var over int
	if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM authorization_requests WHERE expires_at <= $1`, f.millis()).Scan(&over); err != nil || over != 0 {
		t.Errorf("%d requests that are over are left (%v)", over, err)
	}
	if err := f.Sweep(ctx); err != nil {
		t.Error(err)
	}
	if g, err := f.Grant(ctx, id); err == nil {
		t.Errorf("the next sweep leaves %+v", g)
	}
}
