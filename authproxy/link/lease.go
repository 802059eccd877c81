package link

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/salesforce"
)

const (
	// maxUnanswered is how often one refresh token is sent without knowing the answer:
	// the time that went wrong, and one more.
	maxUnanswered = 2
	// maxHold is longer than any lease or pause; one that claims more was written by a
	// clock that has since been set back, and does not count.
	maxHold = salesforce.MaxRetryAfter + time.Minute
	// leasePoll is how often to look whether another process is done.
	leasePoll = 100 * time.Millisecond
)

// held says that a refresh of this version is under way or has to pause.
func (l *record) held(now time.Time) bool {
	return l.leaseUntil.After(now) && !l.leaseUntil.After(now.Add(maxHold))
}

// errMoved says that the link is not at the version that a refresh began with.
var errMoved = errors.New("link has another version")

// claim takes the lease of a version and counts the refresh token as sent. It waits
// while another process holds the lease. The record it returns is as claimed; with
// errMoved it is the current one, perhaps nil.
func (s *Store) claim(ctx context.Context, key linkVersion) (*record, error) {
	for {
		l, err := s.load(ctx, s.DB.Reads, key.org, key.subject)
		if err != nil {
			return nil, err
		}
		if l == nil || l.version != key.version || l.state != Active {
			return l, errMoved
		}
		now := s.Now()
		switch {
		case !l.held(now):
			claimed, err := s.tryClaim(ctx, l, now)
			if err != nil || claimed {
				return l, err
			}
		case l.leaseHolder == "":
			return nil, unavailable(l.leaseUntil.Sub(now), nil)
		default:
			if err := sleep(ctx, leasePoll); err != nil {
				return nil, unavailable(0, err)
			}
		}
	}
}

// tryClaim is one conditional statement, so that of two processes one gets the lease.
// For a link whose token was sent too often it marks the login as lost.
func (s *Store) tryClaim(ctx context.Context, l *record, now time.Time) (bool, error) {
	if l.unanswered >= maxUnanswered {
		_, err := s.lose(ctx, l, salesforce.NewLost("the answers to two refreshes were lost"), "")
		return false, err
	}
	err := s.DB.Writes.QueryRowContext(ctx,
		`UPDATE links SET lease_until = $1, lease_holder = $2, unanswered = unanswered + 1
		WHERE org = $3 AND subject = $4 AND version = $5 AND state = 'active'
		AND (lease_until <= $6 OR lease_until > $7) AND unanswered < $8
		RETURNING unanswered`,
		db.Millis(now.Add(s.Lease)), s.holder, l.org, l.subject, l.version,
		db.Millis(now), db.Millis(now.Add(maxHold)), maxUnanswered).Scan(&l.unanswered)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // another process was faster
	}
	if err != nil {
		return false, fmt.Errorf("claiming refresh of link: %w", err)
	}
	l.leaseHolder, l.leaseUntil = s.holder, now.Add(s.Lease)
	return true, nil
}

// sendAgain counts one more sending under the lease that is held. False: not allowed,
// or the lease is gone.
func (s *Store) sendAgain(ctx context.Context, l *record, lease *lease) (bool, error) {
	until := s.Now().Add(s.Lease)
	n, err := db.Affected(ctx, s.DB.Writes,
		`UPDATE links SET unanswered = unanswered + 1, lease_until = $1
		WHERE org = $2 AND subject = $3 AND version = $4 AND state = 'active' AND lease_holder = $5 AND unanswered < $6`,
		db.Millis(until), l.org, l.subject, l.version, s.holder, maxUnanswered)
	if err != nil {
		return false, fmt.Errorf("recording second refresh of link: %w", err)
	}
	lease.extend(n, until)
	l.unanswered += n
	return n == 1, nil
}

// pause turns the lease into a pause: no process refreshes this version before it is
// over. answered says that the sending counted last had a definite answer.
func (s *Store) pause(l *record, d time.Duration, answered bool, failure Failure) {
	taken := 0
	if answered {
		taken = 1
	}
	s.persist("noting pause of link", func(ctx context.Context) error {
		_, err := db.Affected(ctx, s.DB.Writes,
			`UPDATE links SET lease_until = $1, lease_holder = '', unanswered = unanswered - $2, why = '',
			failure_kind = $3, failure_code = $4, failure_text = $5, failure_hint = $6, failure_lost = $7
			WHERE org = $8 AND subject = $9 AND version = $10 AND lease_holder = $11`,
			db.Millis(s.Now().Add(d)), taken, failure.Kind, failure.Code, failure.Text, failure.Hint, failure.Lost,
			l.org, l.subject, l.version, s.holder)
		return err
	})
}

// lease is what this process knows of one that it has taken.
type lease struct {
	now   func() time.Time
	until atomic.Int64 // milliseconds, by the statements that succeeded; 0: it is gone
	stop  func()       // ends renewing it
}

// held says whether nobody else can have taken it. A process that was stopped, and goes on, learns
// by its clock that it was.
func (l *lease) held() bool { return db.Millis(l.now()) < l.until.Load() }

// extend notes what a statement has changed that made the lease last until then.
func (l *lease) extend(changed int64, until time.Time) {
	if changed == 0 {
		l.until.Store(0)
		return
	}
	l.until.Store(db.Millis(until))
}

// keepLease renews the lease until it is stopped. A holder that stops renewing is taken for dead.
func (s *Store) keepLease(l *record) *lease {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	kept := &lease{now: s.Now, stop: func() { cancel(); <-done }}
	kept.until.Store(db.Millis(l.leaseUntil))
	go func() {
		defer close(done)
		for sleep(ctx, s.Lease/3) == nil {
			until := s.Now().Add(s.Lease)
			n, err := db.Affected(ctx, s.DB.Writes,
				`UPDATE links SET lease_until = $1
				WHERE org = $2 AND subject = $3 AND version = $4 AND state = 'active' AND lease_holder = $5`,
				db.Millis(until), l.org, l.subject, l.version, s.holder)
			if err == nil {
				kept.extend(n, until)
			} else if ctx.Err() == nil {
				s.Log.Warn("renewing the lease of a refresh failed", "org", l.org, "subject", l.subject, "error", err)
			}
		}
	}()
	return kept
}

// persist repeats f while the database refuses. It has its own context: the request
// that it follows has been answered, and the answer must be kept.
func (s *Store) persist(doing string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.PersistFor)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := f(ctx)
		if err == nil {
			return nil
		}
		s.Log.Error(doing+" failed", "error", err)
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
}

// sleep returns early, with the context's error, if ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
