package people

import (
	"context"
	"fmt"
	"math"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// EndLinked signs out the person of the company who is the same human as a Salesforce user, of every browser that was
// signed in before a time, and returns how many there were; the zero time: of every one.
func (s *Store) EndLinked(ctx context.Context, org, subject string, before time.Time) (int, error) {
	until := int64(math.MaxInt64)
	if !before.IsZero() {
		until = db.Millis(before)
	}
	n, err := s.DB.KnownAffected(ctx, `DELETE FROM company_sessions WHERE created_at < $3 AND EXISTS (SELECT 1 FROM human_links l
		WHERE l.org = $1 AND l.subject = $2 AND l.issuer = company_sessions.issuer AND l.person = company_sessions.subject)`, org, subject, until)
	if err != nil {
		return 0, fmt.Errorf("signing a person out: %w", err)
	}
	return int(n), nil
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
// they were signed in. Links stay that keep them from having a role, because the
// Salesforce user is blocked.
func (s *Store) Erase(ctx context.Context, issuer, subject string) (int, error) {
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
	n, err := s.DB.KnownAffected(ctx, `DELETE FROM company_sessions WHERE issuer = $1 AND subject = $2`, issuer, subject)
	if err == nil {
		_, err = s.DB.KnownAffected(ctx, `DELETE FROM company_people WHERE issuer = $1 AND subject = $2`, issuer, subject)
	}
	if err != nil {
		return 0, fmt.Errorf("erasing a person: %w", err)
	}
	return int(n), nil
}
