package link

import (
	"context"
	"database/sql"
	"database/sql/driver"
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
	// maxUnderWay is how many leases a process holds for one org at a time. Who has an answer waits for a
	// connection behind all others that want one; with so many that wait is far below a lease.
	maxUnderWay = 64
)

// held says that a refresh of this version is under way or has to pause.
func (l *record) held(now time.Time) bool {
	return l.leaseUntil.After(now) && !l.leaseUntil.After(now.Add(maxHold))
}

// errMoved says that the link is not at the version that a refresh began with.
var errMoved = errors.New("link has another version")

// deadline is an argument of a statement: so long after the statement got its connection. A lease that
// began while its holder waited for one could be over when it is written.
type deadline struct {
	now   func() time.Time
	lasts time.Duration
}

// Value is called with the connection at hand.
func (d deadline) Value() (driver.Value, error) { return db.Millis(d.now().Add(d.lasts)), nil }

func (s *Store) leaseEnd() deadline { return deadline{s.Now, s.Lease} }

// enter waits until this process may hold one more lease of the org, and returns what ends that.
func (s *Store) enter(ctx context.Context, org string) (leave func(), err error) {
	s.mu.Lock()
	places := s.underWay[org]
	if places == nil {
		places = make(chan struct{}, maxUnderWay)
		s.underWay[org] = places
	}
	s.mu.Unlock()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, unavailable(0, context.Cause(ctx))
	}
}

// claim takes the lease of a version and counts the refresh token as sent. It waits
// while another process holds the lease. The record it returns is as claimed, and leave is to be called
// once nothing is done under it any more; with errMoved it is the current one, perhaps nil.
func (s *Store) claim(ctx context.Context, key linkVersion) (l *record, leave func(), err error) {
	for {
		if leave, err = s.enter(ctx, key.org); err != nil {
			return nil, nil, err
		}
		l, claimed, err := s.claimNow(ctx, key)
		if claimed {
			return l, leave, nil
		}
		leave()
		if err != nil {
			return l, nil, err
		}
		if l.held(s.Now()) {
			if err := sleep(ctx, leasePoll); err != nil {
				return nil, nil, unavailable(0, err)
			}
		}
	}
}

// claimNow is claim, unless another process holds the lease or was faster.
func (s *Store) claimNow(ctx context.Context, key linkVersion) (l *record, claimed bool, err error) {
	l, err = s.load(ctx, s.DB.Reads, key.org, key.subject)
	if err != nil {
		return nil, false, err
	}
	if l == nil || l.version != key.version || l.state != Active {
		return l, false, errMoved
	}
	now := s.Now()
	switch {
	case !l.held(now):
		claimed, err = s.tryClaim(ctx, l, now)
	case l.leaseHolder == "":
		err = unavailable(l.leaseUntil.Sub(now), nil)
	}
	return l, claimed, err
}

// tryClaim is one conditional statement, so that of two processes one gets the lease.
// For a link whose token was sent too often it marks the login as lost.
func (s *Store) tryClaim(ctx context.Context, l *record, now time.Time) (bool, error) {
	if l.unanswered >= maxUnanswered {
		_, err := s.lose(ctx, l, salesforce.NewLost("the answers to two refreshes were lost"), "")
		return false, err
	}
	var unanswered, until int64
	err := s.DB.Writes.QueryRowContext(ctx,
		`UPDATE links SET lease_until = $1, lease_holder = $2, unanswered = unanswered + 1
		WHERE org = $3 AND subject = $4 AND version = $5 AND state = 'active'
		AND (lease_until <= $6 OR lease_until > $7) AND unanswered < $8
		RETURNING unanswered, lease_until`,
		s.leaseEnd(), s.holder, l.org, l.subject, l.version,
		db.Millis(now), db.Millis(now.Add(maxHold)), maxUnanswered).Scan(&unanswered, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // another process was faster
	}
	if err != nil {
		err = fmt.Errorf("claiming refresh of link: %w", err)
		if db.InDoubt(err) {
			err = &doubtfulError{err, l}
		}
		return false, err
	}
	l.unanswered, l.leaseHolder, l.leaseUntil = unanswered, s.holder, db.Time(until)
	return true, nil
}

// doubtfulError is that a claim may have been made: what the database answered did not arrive.
type doubtfulError struct {
	error
	before *record
}

func (e *doubtfulError) Unwrap() error { return e.error }

// disclaim takes back a claim that was made after all: nothing was sent under it, and two that are counted
// end a login. Nobody else in this process may claim the version meanwhile.
func (s *Store) disclaim(l *record) {
	_ = s.persist("taking back a claim", func(ctx context.Context) error {
		_, err := db.Affected(ctx, s.DB.Writes,
			`UPDATE links SET unanswered = unanswered - 1, lease_until = 0, lease_holder = ''
			WHERE org = $1 AND subject = $2 AND version = $3 AND lease_holder = $4 AND unanswered = $5`,
			l.org, l.subject, l.version, s.holder, l.unanswered+1)
		return err
	})
}

// sendAgain counts one more sending under the lease that is held. False: not allowed,
// or the lease is gone.
func (s *Store) sendAgain(ctx context.Context, l *record, lease *lease) (bool, error) {
	again, err := lease.extend(s.DB.Writes.QueryRowContext(ctx,
		`UPDATE links SET unanswered = unanswered + 1, lease_until = $1
		WHERE org = $2 AND subject = $3 AND version = $4 AND state = 'active' AND lease_holder = $5 AND unanswered < $6
		RETURNING lease_until`,
		s.leaseEnd(), l.org, l.subject, l.version, s.holder, maxUnanswered))
	if err != nil {
		return false, fmt.Errorf("recording second refresh of link: %w", err)
	}
	if again {
		l.unanswered++
	}
	return again, nil
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

// keepLease renews the lease until it is stopped. A holder that stops renewing is taken for dead.
func (s *Store) keepLease(l *record) *lease {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	kept := &lease{now: s.Now, room: s.Lease / 3, stop: func() { cancel(); <-done }}
	kept.until.Store(db.Millis(l.leaseUntil))
	go func() {
		defer close(done)
		for sleep(ctx, s.Lease/3) == nil {
			_, err := kept.extend(s.DB.Writes.QueryRowContext(ctx,
				`UPDATE links SET lease_until = $1
				WHERE org = $2 AND subject = $3 AND version = $4 AND state = 'active' AND lease_holder = $5
				RETURNING lease_until`,
				s.leaseEnd(), l.org, l.subject, l.version, s.holder))
			if err != nil && ctx.Err() == nil {
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
