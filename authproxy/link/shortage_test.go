package link_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/salesforce"
)

// FT-20: who waits for a connection to the database longer than a lease lasts has a whole one once it has
// the connection: another process would take it over while the answer is under way.
func TestFaultFT20LeaseBeginsWithItsConnection(t *testing.T) {
	t.Parallel()
	f := newLogin(t)
	const lasts = time.Minute
	p := newFiles(t).start(t, f, func(c *link.Config) { c.Lease = lasts })
	p.signIn(t, f)
	f.clock.pass(time.Hour)
	p.db.Writes.SetMaxOpenConns(1)
	only, err := p.db.Writes.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	waiting := p.db.Writes.Stats().WaitCount
	done := make(chan error)
	go func() {
		_, err := p.Token(t.Context(), "acme", alice)
		done <- err
	}()
	eventually(t, "the claim waits", func() bool { return p.db.Writes.Stats().WaitCount > waiting })
	f.clock.pass(2 * lasts)
	if err := only.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("once there was a connection: %v", err)
	}
	f.sent(t, 1)
}

// hindered is a Salesforce before which something happens.
type hindered struct {
	link.Salesforce
	first func(ctx context.Context)
}

func (h hindered) Refresh(ctx context.Context, org, token string) (*salesforce.Token, error) {
	h.first(ctx)
	return h.Salesforce.Refresh(ctx, org, token)
}

// FT-20: under a lease that is nearly over nothing is sent. There would be no time to store the answer.
func TestFaultFT20NothingIsSentAtTheEndOfALease(t *testing.T) {
	t.Parallel()
	for left, sent := range map[time.Duration]int{time.Second: 0, 19 * time.Second: 0, 21 * time.Second: 1, time.Minute: 1} {
		t.Run(fmt.Sprint(left), func(t *testing.T) {
			t.Parallel()
			f := newLogin(t)
			p := newFiles(t).start(t, f, func(c *link.Config) {
				c.Lease = time.Minute
				c.Salesforce = hindered{c.Salesforce, func(context.Context) { f.clock.pass(c.Lease - left) }}
			})
			p.signIn(t, f)
			f.clock.pass(time.Hour)
			_, err := p.Token(t.Context(), "acme", alice)
			if (err == nil) != (sent == 1) {
				t.Error(err)
			}
			f.sent(t, sent)
		})
	}
}

// FT-20: a process holds so many leases at a time that it can store what is answered. All users are
// renewed in the end.
func TestFaultFT20LeasesAtATime(t *testing.T) {
	t.Parallel()
	const users, atATime = 100, 64
	f := newLogin(t)
	var mu sync.Mutex
	var sending, most int
	enough := make(chan struct{})
	var p *process
	p = newFiles(t).start(t, f, func(c *link.Config) {
		c.Salesforce = hindered{c.Salesforce, func(ctx context.Context) {
			mu.Lock()
			if sending++; sending == atATime {
				close(enough)
			}
			mu.Unlock()
			<-enough // and whoever else wants a lease gets a turn at the database before the leases are counted
			var leases int
			if err := p.db.Writes.QueryRowContext(ctx, `SELECT COUNT(*) FROM links WHERE lease_holder <> ''`).Scan(&leases); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			most = max(most, leases)
		}}
	})
	var all []string
	for i := range users {
		id, err := salesforce.NormalizeID(fmt.Sprintf("005xx%010d", i))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
		if err := p.Replace(t.Context(), "acme", f.signIn(id)); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.pass(time.Hour)
	var callers sync.WaitGroup
	for _, id := range all {
		callers.Go(func() {
			if _, err := p.Token(t.Context(), "acme", id); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if most > atATime {
		t.Errorf("%d leases at a time, want at most %d", most, atATime)
	}
	f.sent(t, users)
}

// FT-53: twice the database takes the lease of a refresh and its answer is lost. Nothing was sent to
// Salesforce, so nothing counts as sent, and the login goes on.
func TestFaultFT53LostAnswersToClaims(t *testing.T) {
	f, near, p, network := nearAndFar(t)
	sendings := func() (n int) {
		if err := near.db.Reads.QueryRow(`SELECT unanswered FROM links`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 2 {
		f.clock.pass(time.Hour)
		loseClaim(t, near.db, network, func() { _, _ = p.Token(t.Context(), "acme", alice) }, sendings)
		eventually(t, "the claim is taken back", func() bool { return sendings() == 0 })
	}
	f.sent(t, 0)
	f.clock.pass(time.Hour)
	eventually(t, "the login goes on", func() bool { _, err := p.Token(t.Context(), "acme", alice); return err == nil })
	f.sent(t, 1)
}

// loseClaim lets call's claim reach the database and takes the network away before it is answered.
func loseClaim(t *testing.T, direct *db.DB, network *dbtest.Network, call func(), sendings func() int) {
	t.Helper()
	row, err := direct.Writes.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer row.Rollback()
	if _, err := row.Exec(`UPDATE links SET version = version`); err != nil {
		t.Fatal(err)
	}
	var waits atomic.Bool
	go func() {
		for !waits.Load() { // at first it may get the error of the claim before
			call()
		}
	}()
	eventually(t, "the claim waits for the row", func() bool { return waitsForRow(t, direct) })
	waits.Store(true)
	network.Down()
	if err := row.Commit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the claim is made", func() bool { return sendings() == 1 })
	network.Heal()
}
