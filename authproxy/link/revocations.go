package link

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/seal"
)

const (
	// revocationPoll is how soon a running proxy takes what another process queued.
	revocationPoll = time.Second
	// revocationClaim keeps other processes away while one asks Salesforce.
	revocationClaim = 20 * time.Second
	// Backoff between attempts doubles from the first to the second.
	minRevocationBackoff = time.Second
	maxRevocationBackoff = 10 * time.Minute
	revocationBatch      = 100
	revocationWorkers    = 4
)

// revocationQueue has the refresh tokens that Salesforce must still be told to revoke: the
// table upstream_revocations.
type revocationQueue struct {
	cfg  Config
	wake chan struct{} // something was queued
}

// revocation is one row of upstream_revocations.
type revocation struct {
	id, org, subject, sealed string
	attempts, nextAt         int64
}

func (r *revocation) place() seal.Place {
	return seal.Place{Table: "upstream_revocations", Row: r.id, Org: r.org, Subject: r.subject, Purpose: "refresh"}
}

// backoff before the attempt that follows this many.
func backoff(attempts int64) time.Duration {
	d := minRevocationBackoff << min(attempts-1, 20)
	return min(d, maxRevocationBackoff)
}

// enqueue notes, in the transaction that gives a refresh token up, that Salesforce must
// be told. An empty token is none.
func (q *revocationQueue) enqueue(ctx context.Context, e db.Execer, l *record, token string) error {
	if token == "" {
		return nil
	}
	r := &revocation{id: seal.Secret("rev_"), org: l.org, subject: l.subject}
	sealed, err := q.cfg.Ring.Seal(r.place(), []byte(token))
	if err != nil {
		return err
	}
	now := db.Millis(q.cfg.Now())
	_, err = e.ExecContext(ctx,
		`INSERT INTO upstream_revocations (id, org, subject, sealed_token, next_at, created_at) VALUES ($1, $2, $3, $4, $5, $5)`,
		r.id, r.org, r.subject, sealed, now)
	if err != nil {
		return fmt.Errorf("queueing revocation at Salesforce: %w", err)
	}
	return nil
}

// nudge lets RunRevocations look at once.
func (q *revocationQueue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// RunRevocations tells Salesforce of queued revocations until ctx ends. It looks after
// each change of this process, and each second for those of others.
func (q *revocationQueue) RunRevocations(ctx context.Context) {
	tick := time.NewTicker(revocationPoll)
	defer tick.Stop()
	for {
		if err := q.revokeDue(ctx); err != nil && ctx.Err() == nil {
			q.cfg.Log.Error("revoking at Salesforce failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-q.wake:
		}
	}
}

// RevokePending tries each revocation that is due once and returns how many are left in
// the queue: failed just now, waiting after a failure, or in the hands of a running proxy.
func (q *revocationQueue) RevokePending(ctx context.Context) (left int, err error) {
	if err := q.revokeDue(ctx); err != nil {
		return 0, err
	}
	if err := q.cfg.DB.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM upstream_revocations`).Scan(&left); err != nil {
		return 0, fmt.Errorf("counting revocations: %w", err)
	}
	return left, nil
}

// Unrevoked is how many refresh tokens of a user Salesforce has not been told of yet.
func (q *revocationQueue) Unrevoked(ctx context.Context, org, subject string) (left int, err error) {
	if err := q.cfg.DB.Reads.QueryRowContext(ctx, `SELECT COUNT(*) FROM upstream_revocations WHERE org = $1 AND subject = $2`, org, subject).Scan(&left); err != nil {
		return 0, fmt.Errorf("counting revocations: %w", err)
	}
	return left, nil
}

// revokeDue takes batches until one is not full, or cannot be claimed. What it claims is not due again at
// once, also where Salesforce does not revoke it; what it cannot claim, as on a full disk, stays due.
func (q *revocationQueue) revokeDue(ctx context.Context) error {
	for {
		batch, err := q.due(ctx)
		if err != nil {
			return fmt.Errorf("reading revocations: %w", err)
		}
		failed, err := q.revokeEach(ctx, batch)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case failed > 0 && failed == len(batch):
			return fmt.Errorf("claiming %d revocations: %w", failed, err)
		case failed > 0:
			q.cfg.Log.Error("claiming revocations failed", "failed", failed, "of", len(batch), "error", err)
		}
		if len(batch) < revocationBatch {
			return nil
		}
	}
}

// revokeEach tells Salesforce of each of a batch, and returns how many could not be claimed, and why the last
// of them.
func (q *revocationQueue) revokeEach(ctx context.Context, batch []revocation) (failed int, err error) {
	queue := make(chan revocation)
	var workers sync.WaitGroup
	var mu sync.Mutex // of failed and err
	for range min(revocationWorkers, len(batch)) {
		workers.Go(func() {
			for r := range queue {
				if cause := q.revokeUpstream(ctx, &r); cause != nil {
					mu.Lock()
					failed, err = failed+1, cause
					mu.Unlock()
				}
			}
		})
	}
	for _, r := range batch {
		queue <- r
	}
	close(queue)
	workers.Wait()
	return failed, err
}

func (q *revocationQueue) due(ctx context.Context) ([]revocation, error) {
	now := q.cfg.Now()
	// A row far in the future was written by a clock that has been set back.
	rows, err := q.cfg.DB.Reads.QueryContext(ctx,
		`SELECT id, org, subject, sealed_token, attempts, next_at FROM upstream_revocations
		WHERE next_at <= $1 OR next_at > $2 ORDER BY next_at LIMIT $3`,
		db.Millis(now), db.Millis(now.Add(2*maxRevocationBackoff)), revocationBatch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []revocation
	for rows.Next() {
		var r revocation
		if err := rows.Scan(&r.id, &r.org, &r.subject, &r.sealed, &r.attempts, &r.nextAt); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// revokeUpstream claims one revocation, so that one process asks, and asks. The error is that it could not be
// claimed: nobody was asked.
func (q *revocationQueue) revokeUpstream(ctx context.Context, r *revocation) error {
	n, err := db.Affected(ctx, q.cfg.DB.Writes,
		`UPDATE upstream_revocations SET attempts = attempts + 1, next_at = $1 WHERE id = $2 AND next_at = $3 AND attempts = $4`,
		db.Millis(q.cfg.Now().Add(revocationClaim)), r.id, r.nextAt, r.attempts)
	if err != nil || n == 0 {
		return err // without one another process was faster
	}
	r.attempts++
	token, err := q.cfg.Ring.Open(r.place(), r.sealed)
	if err == nil {
		err = q.cfg.Salesforce.Revoke(ctx, r.org, string(token))
	}
	if err != nil && ctx.Err() != nil {
		return nil // shutting down; due again when the claim is over
	}
	// What Salesforce answered is kept even if the caller has gone meanwhile.
	ctx = context.WithoutCancel(ctx)
	event := Event{Org: r.org, Subject: r.subject, Kind: RevokedUpstream}
	statement, args := `DELETE FROM upstream_revocations WHERE id = $1`, []any{r.id}
	if err != nil {
		event.Kind, event.Err = RevokeFailed, err
		statement, args = `UPDATE upstream_revocations SET next_at = $2 WHERE id = $1`, append(args, db.Millis(q.cfg.Now().Add(backoff(r.attempts))))
		q.cfg.Log.Warn("revoking at Salesforce failed", "org", r.org, "subject", r.subject, "attempts", r.attempts, "error", err)
	}
	if _, err := q.cfg.DB.Writes.ExecContext(ctx, statement, args...); err != nil {
		q.cfg.Log.Error("noting the outcome of a revocation failed", "error", err)
		return nil
	}
	q.cfg.OnEvent(event)
	return nil
}

// revokeNow is the last resort for a refresh token that no queue can take.
func (q *revocationQueue) revokeNow(ctx context.Context, org, token string) {
	if token == "" {
		return
	}
	if err := q.cfg.Salesforce.Revoke(context.WithoutCancel(ctx), org, token); err != nil {
		q.cfg.Log.Error("a refresh token could be neither stored nor revoked", "org", org, "error", err)
	}
}
