package approval

import (
	"context"
	"errors"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// losing is a store on the database of another one, as another process has it, and the network between them.
func losing(t *testing.T) (here, there *Store, network *dbtest.Network) {
	t.Helper()
	return losingFor(t, 0)
}

// losingFor is losing where it is tried for so long to find out what became of something.
func losingFor(t *testing.T, inDoubt time.Duration) (here, there *Store, network *dbtest.Network) {
	t.Helper()
	return losingUntil(t, inDoubt, nil)
}

// losingUntil is losingFor in processes that end when waits does.
func losingUntil(t *testing.T, inDoubt time.Duration, waits context.Context) (here, there *Store, network *dbtest.Network) {
	t.Helper()
	database := dbtest.URL(t)
	ring := dbtest.Ring(t, database)
	network = dbtest.Between(t, database)
	store := func(url string) *Store {
		d, err := db.Open(t.Context(), db.Config{URL: url, InDoubt: inDoubt, Waits: waits})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		if err := d.Claim(t.Context(), ring); err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{DB: d, Ring: ring, Lifetime: lifetime})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return store(database), store(network.SimpleURL(database)), network
}

const spends = "SET state = 'spent'"

// FT-35: the answer to the spending of an approval is lost. Whether or not it had its effect, the call is made by
// whoever asked for it, once.
func TestFaultFT35LostSpending(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losing(t)
	for name, lose := range map[string]func(){
		"reaches":                func() { network.LoseCommit(true) },
		"does not":               func() { network.LoseCommit(false) },
		"the statement reaches":  func() { network.LoseAnswer(spends, true, nil) },
		"the statement does not": func() { network.LoseAnswer(spends, false, nil) },
	} {
		b := binding(name)
		r := submit(t, here, b)
		decide(t, here, r.ID, true)
		lose()
		if _, err := there.Spend(t.Context(), b); err != nil || !network.Lost() {
			t.Fatalf("%s: %v, the answer was lost: %t", name, err, network.Lost())
		}
		if _, err := here.Spend(t.Context(), b); !errors.Is(err, ErrNotApproved) {
			t.Errorf("%s: spent twice: %v", name, err)
		}
		if err := there.Unspend(t.Context(), r.ID); err != nil { // as of a call that did not leave
			t.Errorf("%s: %v", name, err)
		}
		if _, err := here.Spend(t.Context(), b); err != nil {
			t.Errorf("%s: once it was given back: %v", name, err)
		}
	}
}

// FT-35: the same of a statement behind which another process has spent the approval, at the same time and for the same
// connection: it is that one's.
func TestFaultFT35LostSpendingOfAnother(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losing(t)
	now := here.now()
	fixed := func() time.Time { return now }
	here.now, there.now = fixed, fixed
	b := binding("Acme")
	r := submit(t, here, b)
	decide(t, here, r.ID, true)
	network.LoseAnswer(spends, false, func() {
		if _, err := here.Spend(t.Context(), b); err != nil {
			t.Error(err)
		}
	})
	if _, err := there.Spend(t.Context(), b); !errors.Is(err, ErrNotApproved) {
		t.Errorf("spent twice: %v", err)
	}
}

// FT-35: the context ends during the statement or the COMMIT, as by the kill switch. Nothing is taken before the COMMIT; what was
// taken is the caller's to give back, and a statement that arrives only then takes nothing.
func TestFaultFT35SpendingIsInterrupted(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losing(t)
	b := binding("Acme")
	r := submit(t, here, b)
	decide(t, here, r.ID, true)
	ctx, stop := context.WithCancel(t.Context())
	network.LoseAnswer(spends, true, stop)
	if _, err := there.Spend(ctx, b); err == nil || db.InDoubt(err) || state(t, here, r.ID) != Approved {
		t.Fatalf("before the COMMIT: %v, it is %s", err, state(t, here, r.ID))
	}
	ctx, stop = context.WithCancel(t.Context())
	network.LoseCommitThen(true, stop)
	if _, err := there.Spend(ctx, b); err != nil || ctx.Err() == nil {
		t.Fatalf("%v, ended: %v", err, ctx.Err())
	}
	if err := there.Unspend(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	got, err := here.one(t.Context(), here.db.Reads, `WHERE id = $1`, r.ID)
	if err != nil || got.State != Approved || got.spending == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	late := *got
	late.spending = "" // what the statement saw that was lost
	if err := here.take(t.Context(), &late, b.GrantID); !errors.Is(err, ErrNotApproved) {
		t.Errorf("a statement that arrives late: %v", err)
	}
}

// FT-35: where the database stays away, it is not known whether the approval was spent, and that is said: it is no approval that
// another caller has spent. Once the database is back, it shows what became of it.
func TestFaultFT35SpendingStaysInDoubt(t *testing.T) {
	t.Parallel()
	if !dbtest.OnPostgres() {
		t.Skip("a file has no connection")
	}
	here, there, network := losingFor(t, time.Millisecond)
	b := binding("Acme")
	r := submit(t, here, b)
	decide(t, here, r.ID, true)
	network.LoseCommitThen(false, network.Down)
	if _, err := there.Spend(t.Context(), b); !errors.Is(err, ErrInDoubt) || errors.Is(err, ErrNotApproved) || !network.Lost() {
		t.Errorf("away: %v", err)
	}
	if got := state(t, here, r.ID); got != Approved {
		t.Errorf("it is %s", got)
	}
}
