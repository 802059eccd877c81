package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// EndLinked signs out the person of the company who is the same human as a Salesforce user, of every browser that was
// signed in before a time, and returns how many there were; the zero time: of every one, and sign-ins of theirs that are under way
// give nothing.
func (s *Store) EndLinked(ctx context.Context, org, subject string, before time.Time) (n int, err error) {
	err = s.DB.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		var issuer, person string // whether or not somebody has changed the link
		err := tx.QueryRowContext(ctx, `SELECT issuer, person FROM human_links WHERE org = $1 AND subject = $2`, org, subject).Scan(&issuer, &person)
		if errors.Is(err, sql.ErrNoRows) {
			return db.ErrUnchanged
		}
		until := int64(math.MaxInt64)
		if !before.IsZero() {
			until = db.Millis(before)
		} else if err == nil {
			err = s.DB.NoteCut(ctx, tx, issuer, person, s.Now())
		}
		if err != nil {
			return err
		}
		ended, err := db.Affected(ctx, tx, `DELETE FROM company_sessions WHERE issuer = $1 AND subject = $2 AND created_at < $3`, issuer, person, until)
		n = int(ended)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("signing a person out: %w", err)
	}
	return n, nil
}

// EndBegunBefore signs a person out of every browser that was signed in before a time, and returns how
// many there were.
func (s *Store) EndBegunBefore(ctx context.Context, issuer, subject string, before time.Time) (int, error) {
	n, err := s.DB.KnownAffected(ctx, `DELETE FROM company_sessions WHERE issuer = $1 AND subject = $2 AND created_at < $3`, issuer, subject, db.Millis(before))
	if err != nil {
		return 0, fmt.Errorf("ending the earlier sessions of a person: %w", err)
	}
	return int(n), nil
}

// Erase signs a person out, deletes what is stored of them, and returns in how many browsers
// they were signed in. Sign-ins of theirs that are under way give nothing, so that none brings back what was deleted. Links stay
// that keep them from having a role, because the Salesforce user is blocked.
func (s *Store) Erase(ctx context.Context, issuer, subject string) (int, error) {
	if err := s.DB.KnownTx(ctx, func(ctx context.Context, tx *sql.Tx) error { return s.DB.NoteCut(ctx, tx, issuer, subject, s.Now()) }); err != nil {
		return 0, fmt.Errorf("erasing a person: %w", err)
	}
	links, err := s.LinksOf(ctx, issuer, subject)
	if err != nil {
		return 0, err
	}
	for _, l := range links {
		if s.Blocked != nil {
			if blocked, err := s.Blocked(ctx, l.Org, l.Subject); err != nil {
				return 0, err
			} else if blocked {
				continue
			}
		}
		if _, err := s.DB.KnownAffected(ctx, `DELETE FROM human_links WHERE org = $1 AND subject = $2`, l.Org, l.Subject); err != nil {
			return 0, fmt.Errorf("erasing a person: %w", err)
		}
	}
	ended, err := s.DB.KnownAffected(ctx, `DELETE FROM company_sessions WHERE issuer = $1 AND subject = $2`, issuer, subject)
	if err == nil {
		_, err = s.DB.KnownAffected(ctx, `DELETE FROM company_people WHERE issuer = $1 AND subject = $2`, issuer, subject)
	}
	if err != nil {
		return 0, fmt.Errorf("erasing a person: %w", err)
	}
	return int(ended), nil
}
