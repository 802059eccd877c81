package link

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/salesforce"
)

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
		l, free, err := s.look(ctx, key)
		if err != nil {
			return l, nil, err
		}
		if !free {
			if err := sleep(ctx, leasePoll); err != nil {
				return nil, nil, unavailable(0, err)
			}
			continue
		}
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
	}
}

// look reads a link and says whether its lease, if any, has ended. An error is that of claim.
func (s *Store) look(ctx context.Context, key linkVersion) (l *record, free bool, err error) {
	l, err = s.load(ctx, s.DB.Reads, key.org, key.subject)
	if err != nil {
		return nil, false, err
	}
	if l == nil || l.version != key.version || l.state != Active {
		return l, false, errMoved
	}
	now := s.Now()
	if l.held(now) && l.leaseHolder == "" {
		return nil, false, unavailable(l.leaseUntil.Sub(now), nil)
	}
	return l, !l.held(now), nil
}

// claimNow is claim, unless another process holds the lease or was faster.
func (s *Store) claimNow(ctx context.Context, key linkVersion) (l *record, claimed bool, err error) {
	l, free, err := s.look(ctx, key)
	if !free {
		return l, false, err
	}
	looked := s.Now()
	over := s.takesOver(l)
	if over {
		if looked, err = s.watch(ctx, l); err != nil || looked.IsZero() {
			return nil, false, err
		}
	}
	if claimed, err = s.tryClaim(ctx, l); !claimed || !over {
		return l, claimed, err
	}
	if stopped(looked, s.Now()) {
		s.disclaim(l.before)
		return nil, false, nil
	}
	s.Log.Warn("a refresh is taken over: its holder has neither renewed its lease nor stored an answer", "org", l.org, "subject", l.subject,
		"version", l.version, "holder", s.holder, "from", l.before.leaseHolder, "lease_ended", l.before.leaseUntil, "unanswered", l.before.unanswered)
	return l, true, nil
}

// takesOver says that whoever claims l does so after another process that may have sent the token and may
// have the answer.
func (s *Store) takesOver(l *record) bool { return l.leaseHolder != "" && l.leaseHolder != s.holder }

// stopped says that a look at the database is so old that this process had no CPU since, or the database did
// not answer: the same may have kept another process from what it is about to do.
func stopped(looked, now time.Time) bool {
	return now.Sub(looked) > maxUnseen || now.Before(looked)
}

// watch looks at a lease that has ended until its holder has been given [Config.Watch] to renew it or to
// store its answer, and returns when it looked last; zero: the holder has. Time that nobody had does not
// count: after it the watch begins anew.
func (s *Store) watch(ctx context.Context, l *record) (looked time.Time, err error) {
	looked = s.Now()
	for quiet := time.Duration(0); quiet < s.Watch; quiet += leasePoll {
		if err := sleep(ctx, leasePoll); err != nil {
			return time.Time{}, unavailable(0, err)
		}
		now, err := s.load(ctx, s.DB.Reads, l.org, l.subject)
		if err != nil {
			return time.Time{}, err
		}
		if now == nil || now.version != l.version || now.leaseHolder != l.leaseHolder || !now.leaseUntil.Equal(l.leaseUntil) {
			return time.Time{}, nil
		}
		at := s.Now()
		if stopped(looked, at) {
			quiet = -leasePoll
		}
		looked = at
	}
	return looked, nil
}

// tryClaim is one conditional statement, so that of two processes one gets the lease.
// For a link whose token was sent too often it marks the login as lost.
func (s *Store) tryClaim(ctx context.Context, l *record) (bool, error) {
	if l.unanswered >= maxUnanswered {
		_, err := s.lose(ctx, l, salesforce.NewLost("the answers to two refreshes were lost"), "")
		return false, err
	}
	before := *l
	var unanswered, until int64
	err := s.DB.Writes.QueryRowContext(ctx,
		`UPDATE links SET lease_until = $1, lease_holder = $2, unanswered = unanswered + 1
		WHERE org = $3 AND subject = $4 AND version = $5 AND state = 'active'
		AND lease_until = $6 AND lease_holder = $7 AND unanswered = $8
		RETURNING unanswered, lease_until`,
		s.leaseEnd(), s.holder, l.org, l.subject, l.version,
		db.Millis(l.leaseUntil), l.leaseHolder, l.unanswered).Scan(&unanswered, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // another process was faster
	}
	if err != nil {
		err = fmt.Errorf("claiming refresh of link: %w", err)
		if db.InDoubt(err) {
			err = &doubtfulError{err, &before}
		}
		return false, err
	}
	l.before, l.unanswered, l.leaseHolder, l.leaseUntil = &before, unanswered, s.holder, db.Time(until)
	return true, nil
}

// doubtfulError is that a claim may have been made: what the database answered did not arrive.
type doubtfulError struct {
	error
	before *record
}

func (e *doubtfulError) Unwrap() error { return e.error }

// disclaim takes back a claim, or what may be one: nothing was sent under it, and two that are counted
// end a login. The row is again what it was before, so that whoever claims it next takes over from the same
// holder. Nobody else in this process may claim the version meanwhile.
func (s *Store) disclaim(before *record) {
	_ = s.persist("taking back a claim", before, func(ctx context.Context) error {
		_, err := db.Affected(ctx, s.DB.Urgent,
			`UPDATE links SET unanswered = unanswered - 1, lease_until = $1, lease_holder = $2
			WHERE org = $3 AND subject = $4 AND version = $5 AND lease_holder = $6 AND unanswered = $7`,
			db.Millis(before.leaseUntil), before.leaseHolder, before.org, before.subject, before.version, s.holder, before.unanswered+1)
		return err
	})
}
