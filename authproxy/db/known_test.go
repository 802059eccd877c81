package db_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
)

// knownFixture is a database behind a network, and what counts its transactions.
type knownFixture struct {
	*testing.T
	here, there *db.DB
	network     *dbtest.Network
}

func openKnown(t *testing.T, inDoubt time.Duration) *knownFixture {
	t.Helper()
	url := dbtest.Postgres(t)
	f := &knownFixture{T: t, here: dbtest.OpenURL(t, url), network: dbtest.Between(t, url)}
	var err error
	if f.there, err = db.Open(t.Context(), db.Config{URL: f.network.SimpleURL(url), InDoubt: inDoubt}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.there.Close() })
	return f
}

// raises counts how often the epoch was raised.
func (f *knownFixture) raises() (n int) {
	f.Helper()
	if err := f.here.Reads.QueryRow(`SELECT value FROM epochs WHERE name = 'access'`).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

const raise = `UPDATE epochs SET value = value + 1 WHERE name = 'access'`

func raiseOnce(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, raise)
	return err
}

// FT-35: the connection is lost at a statement or at COMMIT, whether that reached the server or not, once or several times:
// what was asked for is done, once.
func TestFaultFT35KnownTransaction(t *testing.T) {
	t.Parallel()
	f := openKnown(t, 0)
	for _, reaches := range []bool{true, false} {
		for name, lose := range map[string]func(){
			"a statement":      func() { f.network.LoseAnswer(raise, reaches, nil) },
			"COMMIT":           func() { f.network.LoseCommit(reaches) },
			"COMMIT, twice":    func() { f.network.LoseCommit(reaches); f.network.LoseCommit(!reaches) },
			"COMMIT, and next": func() { f.network.LoseCommit(reaches); f.network.LoseAnswer("INSERT INTO meta", reaches, nil) },
		} {
			before := f.raises()
			lose()
			if err := f.there.KnownTx(t.Context(), raiseOnce); err != nil || !f.network.Lost() {
				t.Errorf("%s, reaches %t: %v, lost: %t", name, reaches, err, f.network.Lost())
			}
			if n := f.raises() - before; n != 1 {
				t.Errorf("%s, reaches %t: done %d times", name, reaches, n)
			}
		}
	}
}

// FT-35: what a transaction has found out is that of the one that was committed, and not of a try behind it.
func TestFaultFT35KnownTransactionReturnsItsOwn(t *testing.T) {
	t.Parallel()
	f := openKnown(t, 0)
	for _, reaches := range []bool{true, false} {
		f.network.LoseCommit(reaches)
		n, err := f.there.KnownAffected(t.Context(), `INSERT INTO meta (name, value) VALUES ('own', '') ON CONFLICT DO NOTHING`)
		if err != nil || n != 1 {
			t.Errorf("reaches %t: %d, %v", reaches, n, err)
		}
		if n, err := f.there.KnownAffected(t.Context(), `DELETE FROM meta WHERE name = 'own'`); err != nil || n != 1 {
			t.Errorf("reaches %t: %d, %v", reaches, n, err)
		}
	}
}

// D15: what changes nothing leaves nothing, not the name of the transaction either: whoever asks for it often fills no table.
func TestD15KnownTransactionThatChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, url string) {
		d := dbtest.OpenURL(t, url)
		rows := func() (n int) {
			if err := d.Reads.QueryRow(`SELECT COUNT(*) FROM meta`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := rows()
		if n, err := d.KnownAffected(t.Context(), `DELETE FROM meta WHERE name = 'nobody has it'`); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		err := d.KnownTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(raiseOnce(ctx, tx), db.ErrUnchanged)
		})
		if n := rows(); err != nil || n != before {
			t.Errorf("%d rows, %d before: %v", n, before, err)
		}
		if epoch, err := d.KnownAffected(t.Context(), raise); epoch != 1 || err != nil {
			t.Errorf("%d, %v", epoch, err)
		}
	})
}

// FT-35: a refusal that follows a lost COMMIT is one; nothing of the transaction is done then.
func TestFaultFT35KnownTransactionIsRefused(t *testing.T) {
	t.Parallel()
	f := openKnown(t, 0)
	refused, before := errors.New("refused"), f.raises()
	tries := 0
	f.network.LoseCommit(false)
	err := f.there.KnownTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if tries++; tries > 1 {
			return refused
		}
		return raiseOnce(ctx, tx)
	})
	if !errors.Is(err, refused) || db.InDoubt(err) || f.raises() != before {
		t.Errorf("%v, in doubt: %t, done %d times", err, db.InDoubt(err), f.raises()-before)
	}
}

// FT-35: while the database stays away, it is not known what became of a COMMIT; of a transaction that did not come to that it
// is, and so it is where the caller goes before.
func TestFaultFT35UnknownTransaction(t *testing.T) {
	t.Parallel()
	f := openKnown(t, time.Second)
	for name, tt := range map[string]struct {
		statement        string // "": COMMIT
		reaches, inDoubt bool
	}{
		"COMMIT that reaches":    {"", true, true},
		"COMMIT that does not":   {"", false, true},
		"a statement before":     {raise, false, false},
		"a statement that comes": {raise, true, false},
		"its name":               {"INSERT INTO meta", false, false},
	} {
		for f.there.Writes.PingContext(t.Context()) != nil { // connections that have ended are found out one by one
		}
		before := f.raises()
		down := func() {
			if !tt.reaches {
				f.network.Down()
			}
		}
		if tt.statement == "" {
			f.network.LoseCommitThen(tt.reaches, down)
		} else {
			f.network.LoseAnswer(tt.statement, tt.reaches, down)
		}
		ended := make(chan error, 1)
		go func() { ended <- f.there.KnownTx(t.Context(), raiseOnce) }()
		if tt.reaches {
			for !f.network.Lost() {
				time.Sleep(time.Millisecond)
			}
			f.network.Down()
		}
		err := <-ended
		f.network.Heal()
		if err == nil { // it was quicker than the network went down
			continue
		}
		if db.InDoubt(err) != tt.inDoubt || errors.Is(err, db.ErrInDoubt) != tt.inDoubt {
			t.Errorf("%s: %v, in doubt: %t", name, err, db.InDoubt(err))
		}
		if done := f.raises() > before; done != (tt.inDoubt && tt.reaches) {
			t.Errorf("%s: done: %t", name, done)
		}
	}
}

// FT-35: a caller who goes leaves nothing in doubt, on either database: what has not come to COMMIT is not done, and of what
// has it is found out.
func TestFaultFT35CallerGoesBeforeCommit(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	ctx, leave := context.WithCancel(t.Context())
	err := d.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('left', '')`)
		leave()
		return errors.Join(err, ctx.Err())
	})
	var n int
	if readErr := d.Reads.QueryRow(`SELECT COUNT(*) FROM meta WHERE name = 'left'`).Scan(&n); readErr != nil {
		t.Fatal(readErr)
	}
	if err == nil || db.InDoubt(err) || n != 0 {
		t.Errorf("%v, in doubt: %t, %d rows", err, db.InDoubt(err), n)
	}
}

// FT-35: a try whose COMMIT comes late keeps the next one waiting: of the two one is committed.
func TestFaultFT35KnownTransactionIsWaitedFor(t *testing.T) {
	t.Parallel()
	f := openKnown(t, 0)
	late := make(chan struct{})
	go func() {
		defer close(late)
		for waits := false; !waits; time.Sleep(5 * time.Millisecond) {
			if err := f.here.Reads.QueryRow(`SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database())`).Scan(&waits); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	before, tries := f.raises(), 0
	f.network.DelayCommit(late)
	err := f.there.KnownTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		tries++
		return raiseOnce(ctx, tx)
	})
	if n := f.raises() - before; err != nil || n != 1 || tries != 1 {
		t.Errorf("%v, tried %d times, done %d times", err, tries, n)
	}
}

// What transactions are found by is kept for an hour, and nothing else of meta goes.
func TestSweepOfKnownTransactions(t *testing.T) {
	t.Parallel()
	now := time.Now()
	url := dbtest.URL(t)
	d, err := db.Open(t.Context(), db.Config{URL: url, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if _, err := d.Writes.Exec(`INSERT INTO meta (name, value) VALUES ('done not', 'x'), ('other', '0000000000000')`); err != nil {
		t.Fatal(err)
	}
	names := func() (all string) {
		rows, err := d.Reads.Query(`SELECT name FROM meta WHERE name LIKE 'done %' OR name = 'other' ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			all += name + " "
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	kept := 2
	if d.Shared() { // a file needs none
		kept = 3
	}
	if err := d.KnownTx(t.Context(), raiseOnce); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{time.Hour, time.Millisecond} {
		now = now.Add(later)
		if err := d.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := names(); len(strings.Fields(strings.ReplaceAll(all, "done ", "done_"))) != kept {
			t.Errorf("there are %s", all)
		}
		kept = 2
	}
}
