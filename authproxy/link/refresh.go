package link

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/salesforce"
)

const (
	// refreshPause is the least time between two refreshes of a link that fail, or that
	// a refused access token asks for: at most six a minute.
	refreshPause = 10 * time.Second
	// settingPause is longer: a wrong setting does not heal by itself.
	settingPause = time.Minute
)

// refresh moves a link beyond a version and returns its access token then. forced: the
// access token was refused although it has not expired.
func (s *Store) refresh(ctx context.Context, key linkVersion, forced bool) (string, error) {
	l, leave, err := s.claim(ctx, key)
	if errors.Is(err, errMoved) {
		return s.outcome(l)
	}
	if err != nil {
		return "", err
	}
	defer leave()
	lease := s.keepLease(l)
	defer lease.stop()
	old, err := s.refreshToken(l)
	if err := keyMissing(err); err != nil {
		s.disclaim(l.before) // for whoever has the key
		return "", err
	}
	if err != nil {
		// Somebody changed it: nobody can use it any more, so waiting does not help, and a new sign-in does.
		return s.refreshFailed(ctx, l, salesforce.NewError(salesforce.NotReadable, "the stored refresh token does not open"))
	}
	for {
		t, err := s.Salesforce.Refresh(salesforce.WhileHeld(ctx, lease.held), l.org, old)
		if err == nil {
			return s.storeAnswer(ctx, l, t, forced)
		}
		failure := salesforceError(err)
		if failure.NotHeld() {
			if l.unanswered == l.before.unanswered+1 {
				s.disclaim(l.before) // unless another process has taken it over
			} else {
				s.pause(l, 0, true, l.failure)
			}
			return s.current(ctx, l, nil)
		}
		if !failure.Lost || l.unanswered >= maxUnanswered {
			return s.refreshFailed(ctx, l, failure)
		}
		s.Log.Warn("the answer to a refresh was lost; trying once more", "org", l.org, "subject", l.subject, "error", failure)
		if sleep(ctx, s.RetryDelay) != nil {
			return "", unavailable(0, failure)
		}
		if again, err := s.sendAgain(l, lease); err != nil || !again {
			return s.current(ctx, l, err)
		}
		if ctx.Err() != nil { // the database was away for so long
			s.pause(l, 0, true, l.failure)
			return "", unavailable(0, failure)
		}
	}
}

// salesforceError takes what is no [*salesforce.Error] for the worst: sent, not answered.
func salesforceError(err error) *salesforce.Error {
	if e, ok := errors.AsType[*salesforce.Error](err); ok {
		return e
	}
	return salesforce.NewLost("request failed")
}

// storeAnswer stores the answer and only then returns its access token.
func (s *Store) storeAnswer(ctx context.Context, l *record, t *salesforce.Token, forced bool) (string, error) {
	if t.Subject != l.subject {
		e := salesforce.NewError(salesforce.WrongSubject, "the token is of another user")
		e.Received = t
		return s.refreshFailed(ctx, l, e)
	}
	next := change{state: Active, access: t.AccessToken, expiresAt: t.ExpiresAt, refresh: t.RefreshToken}
	if now := s.Now(); forced || t.ExpiresAt.Before(now.Add(refreshPause)) {
		next.holdUntil = now.Add(refreshPause)
	}
	won, err := s.store(l, next)
	if err != nil {
		// It cannot be kept, so nobody will ever revoke it: try to, now.
		s.revokeNow(ctx, l.org, t.RefreshToken)
		return "", unavailable(refreshPause, err)
	}
	if !won {
		return s.current(ctx, l, nil)
	}
	event := Event{Org: l.org, Subject: l.subject, Kind: Refreshed}
	if t.RefreshToken == "" {
		event.Kind = NotRotated
	}
	s.OnEvent(event)
	return t.AccessToken, nil
}

// refreshFailed ends a refresh that gave no access token.
func (s *Store) refreshFailed(ctx context.Context, l *record, failure *salesforce.Error) (string, error) {
	s.Log.Warn("refreshing a Salesforce token failed", "org", l.org, "subject", l.subject, "error", failure)
	received := ""
	if failure.Received != nil {
		received = failure.Received.RefreshToken
	}
	if failure.Kind == salesforce.Dead || failure.Kind == salesforce.Refused || failure.Lost {
		won, err := s.lose(ctx, l, failure, received)
		if err != nil {
			return "", unavailable(refreshPause, err)
		}
		if !won {
			return s.current(ctx, l, nil)
		}
		return "", fmt.Errorf("%w: %w", ErrNeedsReauth, failure)
	}
	d := max(failure.RetryAfter, refreshPause)
	if failure.Kind == salesforce.Misconfigured {
		d = settingPause
	}
	d += jitter()
	if received != "" {
		// The old refresh token is spent and the new access token cannot be judged now:
		// keep the new refresh token, and what is left of the access token in use.
		if _, err := s.store(l, change{state: Active, keepAccess: true, refresh: received, holdUntil: s.Now().Add(d), failure: failureOf(failure)}); err != nil {
			return "", unavailable(d, err)
		}
		return "", unavailable(d, failure)
	}
	s.pause(l, d, true, failureOf(failure))
	return "", unavailable(d, failure)
}

// jitter keeps links that failed together from coming back together: below 2 s.
func jitter() time.Duration {
	var b [2]byte
	rand.Read(b[:])
	return time.Duration(int(b[0])<<8|int(b[1])) * 2 * time.Second >> 16
}

// store seals and commits the tokens of a refresh. If the link has moved on, it queues
// the refresh token for revocation and returns false. Not so after a commit whose answer was lost, where
// the link has moved on by more than that: another process has gone on from these tokens, which are
// those of the login that is in use; Salesforce would end it with any of them.
func (s *Store) store(l *record, next change) (won bool, err error) {
	sealed, err := s.seal(l, next)
	if err != nil {
		return false, err
	}
	defer s.held.Forget(user{l.org, l.subject})
	tries := 0
	err = s.persist("storing refreshed tokens", l, func(ctx context.Context) error {
		tries++
		return s.DB.UrgentTx(ctx, func(tx *sql.Tx) (err error) {
			if won, err = s.advance(ctx, tx, l, sealed); err != nil || won {
				return err
			}
			// A commit whose answer was lost has moved the link by itself.
			now, err := s.load(ctx, tx, l.org, l.subject)
			if err != nil {
				return err
			}
			if won = now != nil && s.holds(now, l, next); won {
				return nil
			}
			if tries > 1 && now != nil && now.state == Active && now.version > l.version+1 {
				return nil
			}
			return s.enqueue(ctx, tx, l, next.refresh)
		})
	})
	if err == nil && !won {
		s.Log.Warn("the answer to a refresh is not stored: the login has changed meanwhile", "org", l.org, "subject", l.subject,
			"version", l.version, "holder", s.holder)
		s.nudge()
	}
	return won, err
}

// holds reports whether a link is what a change has made of it. The sealed texts do not say so: they are others once the
// row was sealed with a new key.
func (s *Store) holds(now, before *record, c change) bool {
	if now.version != before.version+1 || now.state != c.state {
		return false
	}
	access, err := s.access(now)
	if err != nil || !c.keepAccess && access != c.access {
		return false
	}
	refresh, err := s.refreshToken(now)
	return err == nil && (c.refresh == "" || refresh == c.refresh)
}

// lose makes a link needs_reauth and queues its refresh token, and one that was
// received but not accepted, for revocation. False: the link has moved on.
func (s *Store) lose(ctx context.Context, l *record, failure *salesforce.Error, received string) (won bool, err error) {
	old, err := s.refreshToken(l)
	if err := keyMissing(err); err != nil {
		return false, err
	}
	if err != nil {
		s.Log.Error("a refresh token cannot be revoked at Salesforce", "org", l.org, "subject", l.subject, "error", err)
	}
	lost, tries := change{state: NeedsReauth, failure: failureOf(failure)}, 0
	err = s.persist("noting that a login is lost", l, func(ctx context.Context) error {
		tries++
		return s.DB.UrgentTx(ctx, func(tx *sql.Tx) (err error) {
			if won, err = s.advance(ctx, tx, l, sealedChange{change: lost}); err != nil {
				return err
			}
			if !won && tries > 1 { // a commit whose answer was lost has moved the link by itself, and queued the tokens
				now, err := s.load(ctx, tx, l.org, l.subject)
				if err != nil {
					return err
				}
				if won = now != nil && now.version == l.version+1 && now.state == lost.state && now.failure == lost.failure; won {
					return nil
				}
			}
			if received != old {
				if err := s.enqueue(ctx, tx, l, received); err != nil {
					return err
				}
			}
			if !won {
				return nil
			}
			if err := s.enqueue(ctx, tx, l, old); err != nil {
				return err
			}
			return s.DB.RaiseAccessEpoch(ctx, tx)
		})
	})
	if err == nil {
		s.nudge()
		if won {
			s.OnEvent(Event{Org: l.org, Subject: l.subject, Kind: LoginLost, Err: failure})
		}
	}
	return won, err
}

// current is the outcome for a refresh that another change overtook.
func (s *Store) current(ctx context.Context, l *record, err error) (string, error) {
	if err != nil {
		return "", err
	}
	now, err := s.load(ctx, s.DB.Reads, l.org, l.subject)
	if err != nil {
		return "", err
	}
	return s.outcome(now)
}

// outcome is what a link gives at its present version, without another refresh.
func (s *Store) outcome(l *record) (string, error) {
	switch now := s.Now(); {
	case l == nil || l.state != Active:
		return "", needsReauth(l)
	case !now.Before(l.expiresAt):
		return "", unavailable(l.leaseUntil.Sub(now), nil)
	}
	return s.access(l)
}
