package link_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// neverRenewed is a lease that ends by the clock of a test alone.
const neverRenewed = 20 * time.Minute

// stuck is a Salesforce whose answer a process has, and which it does not go on with before it may.
type stuck struct {
	link.Salesforce
	answered, goOn chan struct{}
}

func (s stuck) Refresh(ctx context.Context, org, token string) (*salesforce.Token, error) {
	answer, err := s.Salesforce.Refresh(ctx, org, token)
	close(s.answered)
	<-s.goOn
	return answer, err
}

// gone is a Salesforce that a process does not get to: it ends before it sends anything.
type gone struct {
	link.Salesforce
	begun, over chan struct{}
}

func (g gone) Refresh(context.Context, string, string) (*salesforce.Token, error) {
	close(g.begun)
	<-g.over
	return nil, errors.New("over")
}

// FT-20: all processes were stopped for longer than a lease, one of them with an answer that it had not
// stored. The others leave it the time to do so and go on with what it stores.
func TestFaultFT20AnswerOutlivesStopOfAll(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	fs := newFiles(t)
	answered, goOn := make(chan struct{}), make(chan struct{})
	holder := fs.start(t, f, func(c *link.Config) { c.Lease, c.Salesforce = neverRenewed, stuck{c.Salesforce, answered, goOn} })
	var looks atomic.Int64
	other := fs.start(t, f, func(c *link.Config) {
		c.Watch = time.Hour
		c.Now = func() time.Time { looks.Add(1); return f.clock.Now() }
	})
	holder.signIn(t, f)
	f.clock.pass(time.Hour)
	f.set(func() { f.lifetime = 4 * neverRenewed })
	got := make(chan string, 2)
	token := func(p *process) {
		access, err := p.Token(t.Context(), "acme", alice)
		if err != nil {
			t.Error(err)
		}
		got <- access
	}
	go token(holder)
	<-answered
	f.clock.pass(2 * neverRenewed)
	go token(other)
	eventually(t, "another one looks, again and again", func() bool { calls, _ := f.counts(); return looks.Load() > 12 || calls > 1 })
	close(goOn)
	if a, b := <-got, <-got; a != b {
		t.Error("the two have different tokens")
	}
	f.sent(t, 1)
}

// FT-20: who watches the lease of another process, or takes it over, and is stopped meanwhile watches for the whole
// time again: the other one may have been stopped by the same.
func TestFaultFT20StopBeginsTheWatchAnew(t *testing.T) {
	t.Parallel()
	const watch, looks = time.Second, 10
	for _, name := range []string{"while it watches", "while it takes over"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			fs := newFiles(t)
			begun, over := make(chan struct{}), make(chan struct{})
			dead := fs.start(t, f, func(c *link.Config) { c.Lease, c.Salesforce = neverRenewed, gone{c.Salesforce, begun, over} })
			var asked, stopped, sent atomic.Int64 // how often the clock was asked, in all, at the stop and when it sends
			stop := func() { f.clock.pass(10 * time.Second); stopped.Store(asked.Load()) }
			other := fs.start(t, f, func(c *link.Config) {
				c.Watch, c.Lease = watch, neverRenewed
				c.Now = func() time.Time {
					if asked.Add(1) == looks && name == "while it watches" {
						stop()
					}
					return f.clock.Now()
				}
				c.Salesforce = hindered{c.Salesforce, func(context.Context) { sent.Store(asked.Load()) }}
			})
			dead.signIn(t, f)
			f.clock.pass(time.Hour)
			go dead.Token(t.Context(), "acme", alice)
			<-begun
			t.Cleanup(func() { close(over) })
			f.clock.pass(2 * neverRenewed)
			done := make(chan error)
			other.db.Writes.SetMaxOpenConns(1)
			only, err := other.db.Writes.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			waiting := other.db.Writes.Stats().WaitCount
			go func() {
				_, err := other.Token(t.Context(), "acme", alice)
				done <- err
			}()
			eventually(t, "the claim waits", func() bool { return other.db.Writes.Stats().WaitCount > waiting })
			if name == "while it takes over" {
				stop()
			}
			only.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if n := sent.Load() - stopped.Load(); stopped.Load() == 0 || n < looks {
				t.Errorf("it sends after the clock was asked %d times since the stop, want at least %d", n, looks)
			}
			f.sent(t, 1)
		})
	}
}

// FT-20, FT-53: others have every connection that writes, and want more. Who holds a lease renews it all the same,
// and stores the answer.
func TestFaultFT20HolderDoesNotWaitForConnections(t *testing.T) {
	if !dbtest.OnPostgres() {
		t.Skip("of PostgreSQL: the writers of SQLite come one after the other")
	}
	t.Parallel()
	f := newLogin(t)
	p, _ := signedIn(t, f)
	leaseEnds := func() (ms int64) {
		if err := p.db.Reads.QueryRow(`SELECT lease_until FROM links`).Scan(&ms); err != nil {
			t.Error(err)
		}
		return ms
	}
	f.token = func(w http.ResponseWriter, r *http.Request) {
		for range p.db.Writes.Stats().MaxOpenConnections {
			taken, err := p.db.Writes.Conn(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { taken.Close() })
		}
		ends := leaseEnds()
		f.clock.pass(time.Second)
		eventually(t, "the lease is renewed", func() bool { return leaseEnds() > ends })
		f.refresh(w, r)
	}
	f.clock.pass(time.Hour)
	if _, err := p.Token(t.Context(), "acme", alice); err != nil {
		t.Error(err)
	}
	f.sent(t, 1)
}

// FT-53: a request is lost, and then the database's answer when it is noted that the token is sent once more. It
// counts once, and the token is sent.
func TestFaultFT53LostAnswerToSecondSending(t *testing.T) {
	f, near, p, network := nearAndFar(t)
	held := make(chan *sql.Tx)
	f.token = func(http.ResponseWriter, *http.Request) {
		f.set(func() { f.token = nil })
		row, err := near.db.Writes.BeginTx(t.Context(), nil)
		if err == nil {
			_, err = row.Exec(`UPDATE links SET version = version`)
		}
		if err != nil {
			t.Error(err)
		}
		held <- row
		panic(http.ErrAbortHandler)
	}
	f.clock.pass(time.Hour)
	done := make(chan error)
	go func() {
		_, err := p.Token(t.Context(), "acme", alice)
		done <- err
	}()
	row := <-held
	eventually(t, "the statement waits for the row", func() bool { return waitsForRow(t, near.db) })
	network.Down()
	if err := row.Commit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second sending is noted", func() bool {
		var n int
		if err := near.db.Reads.QueryRow(`SELECT unanswered FROM links`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 2
	})
	network.Heal()
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.sent(t, 1)
}

// waitsForRow reports whether a statement waits for a row that another transaction has.
func waitsForRow(t *testing.T, d *db.DB) bool {
	t.Helper()
	var waiting int
	if err := d.Reads.QueryRow(`SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE NOT l.granted AND a.datname = current_database()`).Scan(&waiting); err != nil {
		t.Fatal(err)
	}
	return waiting > 0
}
