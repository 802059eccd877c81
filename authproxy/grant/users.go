package grant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/salesforce"
)

// User is a Salesforce user who signed in here, or was blocked before doing so.
type User struct {
	// Org and Subject (the 18-character user id) are the key; the rest is for people.
	Org, Subject, Username, Name string
	// LastSeenAt is the last sign-in, zero while there was none.
	FirstSeenAt, LastSeenAt, BlockedAt time.Time
	// Connections is the number of live grants.
	Connections int
}

// Blocked says whether the user is refused.
func (u *User) Blocked() bool { return !u.BlockedAt.IsZero() }

func see(ctx context.Context, e db.Execer, org, subject string, now int64) error {
	_, err := e.ExecContext(ctx, `INSERT INTO users (org, subject, first_seen_at, last_seen_at) VALUES ($1, $2, $3, $3)
		ON CONFLICT (org, subject) DO UPDATE SET last_seen_at = $3`, org, subject, now)
	return err
}

// SeeUser records that the user signed in now.
func (s *Store) SeeUser(ctx context.Context, org, subject string) error {
	if org == "" || subject == "" {
		return errors.New("recording user: org and subject are required")
	}
	if err := see(ctx, s.db.Writes, org, subject, s.millis()); err != nil {
		return fmt.Errorf("recording user: %w", err)
	}
	return nil
}

// NameUser records how people know the user. It takes the username away from whoever
// else had it in that org: Salesforce usernames are unique, but they can move.
func (s *Store) NameUser(ctx context.Context, org, subject, username, name string) error {
	username = strings.ToLower(username)
	err := s.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.db.Lock(ctx, tx, "usernames of "+org); err != nil { // nobody else gets it meanwhile
			return err
		}
		others, err := db.Affected(ctx, tx, `UPDATE users SET username = '' WHERE org = $1 AND username = $2 AND subject <> $3`,
			org, username, subject)
		if err != nil {
			return err
		}
		renamed, err := db.Affected(ctx, tx, `UPDATE users SET username = $1 WHERE org = $2 AND subject = $3 AND username <> $1`,
			username, org, subject)
		if err != nil {
			return err
		}
		n, err := db.Affected(ctx, tx, `UPDATE users SET name = $1 WHERE org = $2 AND subject = $3`, name, org, subject)
		switch {
		case err != nil:
			return err
		case n == 0:
			return ErrNotFound
		case others+renamed > 0: // groups and rules go by usernames
			return s.db.RaiseAccessEpoch(ctx, tx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("naming user: %w", err)
	}
	return nil
}

// Blocked says whether the user is blocked; one who was never seen is not.
func (s *Store) Blocked(ctx context.Context, org, subject string) (bool, error) {
	u, err := s.User(ctx, org, subject)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return u.Blocked(), nil
}

// User returns one user, or [ErrNotFound].
func (s *Store) User(ctx context.Context, org, subject string) (*User, error) {
	all, err := s.users(ctx, `org = $2 AND subject = $3`, org, subject)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, ErrNotFound
	}
	return &all[0], nil
}

// FindUsers returns the users whom who names: a Salesforce user id of 15 or 18
// characters, or a username in any case. One name can mean users of several orgs.
func (s *Store) FindUsers(ctx context.Context, who string) ([]User, error) {
	if who == "" {
		return nil, nil
	}
	return s.users(ctx, `subject = $2 OR username = $3`, FullID(who), strings.ToLower(who))
}

// Users returns all users, by org and username.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return s.users(ctx, `$2 = ''`, "")
}

func (s *Store) users(ctx context.Context, where string, args ...any) ([]User, error) {
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT u.org, u.subject, u.username, u.name, u.first_seen_at, u.last_seen_at, u.blocked_at,
		(SELECT COUNT(*) FROM grants WHERE grants.org = u.org AND grants.subject = u.subject AND grants.revoked_at = 0 AND grants.expires_at > $1)
		FROM users u WHERE `+where+` ORDER BY u.org, u.username, u.subject`, append([]any{s.millis()}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		var u User
		var first, last, blocked int64
		if err := rows.Scan(&u.Org, &u.Subject, &u.Username, &u.Name, &first, &last, &blocked, &u.Connections); err != nil {
			return nil, fmt.Errorf("reading users: %w", err)
		}
		u.FirstSeenAt, u.LastSeenAt, u.BlockedAt = db.Time(first), db.Time(last), db.Time(blocked)
		all = append(all, u)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	return all, nil
}

// FullID returns the 18-character form of a 15-character Salesforce id; anything else
// comes back as it is.
func FullID(id string) string {
	if full, err := salesforce.NormalizeID(id); err == nil {
		return full
	}
	return id
}
