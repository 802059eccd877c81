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
	// maxUnseen is how old a look at the database may be by which a refresh is taken over.
	maxUnseen = time.Second
	// repeatEvery is how soon a statement is repeated that must not fail, and late is how long one takes before
	// that is logged.
	repeatEvery, late = 250 * time.Millisecond, time.Second
	// maxUnderWay is how many leases a process holds for one org at a time. Who has an answer shares a few
	// connections with all others that hold a lease; with so many that wait is far below a lease.
	maxUnderWay = 64
)

// held says that a refresh of this version is under way or has to pause.
func (l *record) held(now time.Time) bool {
	return l.leaseUntil.After(now) && !l.leaseUntil.After(now.Add(maxHold))
}

// sendAgain counts one more sending under the lease that is held. False: not allowed,
// or the lease is gone. A second try after a doubtful one counts nothing twice.
func (s *Store) sendAgain(l *record, lease *lease) (again bool, err error) {
	err = s.persist("recording second refresh of link", l, func(ctx context.Context) (err error) {
		again, err = lease.extend(s.DB.Urgent.QueryRowContext(ctx,
			`UPDATE links SET unanswered = $1, lease_until = $2
			WHERE org = $3 AND subject = $4 AND version = $5 AND state = 'active' AND lease_holder = $6
			AND (unanswered = $1 - 1 OR unanswered = $1) AND unanswered <= $7
			RETURNING lease_until`,
			l.unanswered+1, s.leaseEnd(), l.org, l.subject, l.version, s.holder, maxUnanswered))
		return err
	})
	if again {
		l.unanswered++
	}
	return again, err
}

// pause turns the lease into a pause: no process refreshes this version before it is
// over. answered says that the sending counted last had a definite answer.
func (s *Store) pause(l *record, d time.Duration, answered bool, failure Failure) {
	taken := 0
	if answered {
		taken = 1
	}
	s.persist("noting pause of link", l, func(ctx context.Context) error {
		_, err := db.Affected(ctx, s.DB.Urgent,
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
	room  time.Duration
	stop  func() // ends renewing it
}

// held says whether nobody else can have taken it, nor will before an answer can be stored. A process
// that was stopped, and goes on, learns by its clock that it was.
func (l *lease) held() bool { return db.Millis(l.now().Add(l.room)) < l.until.Load() }

// extend notes until when a statement has made the lease last. False: it has found no such lease.
func (l *lease) extend(row *sql.Row) (bool, error) {
	var until int64
	err := row.Scan(&until)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	l.until.Store(until)
	return err == nil, nil
}

// keepLease renews the lease until it is stopped. A holder that stops renewing is taken for dead. One that
// has taken over renews more often and sends only right after: the other one may be back at any time.
func (s *Store) keepLease(l *record) *lease {
	every, room := s.Lease/8, s.Lease/3
	if s.takesOver(l.before) {
		every, room = repeatEvery, max(s.Lease-maxUnseen, room)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	kept := &lease{now: s.Now, room: room, stop: func() { cancel(); <-done }}
	kept.until.Store(db.Millis(l.leaseUntil))
	go func() {
		defer close(done)
		for failed, wait := 0, every; sleep(ctx, wait) == nil; {
			_, err := kept.extend(s.DB.Urgent.QueryRowContext(ctx,
				`UPDATE links SET lease_until = $1
				WHERE org = $2 AND subject = $3 AND version = $4 AND state = 'active' AND lease_holder = $5
				RETURNING lease_until`,
				s.leaseEnd(), l.org, l.subject, l.version, s.holder))
			if err == nil || ctx.Err() != nil {
				failed, wait = 0, every
				continue
			}
			failed, wait = failed+1, repeatEvery
			if worthSaying(failed) {
				s.Log.Warn("renewing the lease of a refresh failed", "org", l.org, "subject", l.subject, "failed", failed, "error", err)
			}
		}
	}()
	return kept
}

// persist repeats f while the database refuses. It has its own context: the request
// that it follows has been answered, and the answer must be kept.
func (s *Store) persist(doing string, l *record, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.PersistFor)
	defer cancel()
	begun, wait := time.Now(), repeatEvery/8
	for failed := 1; ; failed++ {
		err := f(ctx)
		if err == nil {
			if took := time.Since(begun); took > late {
				s.Log.Warn(doing+" was late", "org", l.org, "subject", l.subject, "version", l.version, "holder", s.holder,
					"failed", failed-1, "took", took.Round(time.Millisecond))
			}
			return nil
		}
		if worthSaying(failed) {
			s.Log.Error(doing+" failed", "org", l.org, "subject", l.subject, "failed", failed, "error", err)
		}
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		wait = min(2*wait, repeatEvery)
	}
}

// worthSaying says of a failure that repeats whether to log it: the first, second, fourth, eighth and so on.
func worthSaying(failed int) bool { return failed&(failed-1) == 0 }

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
