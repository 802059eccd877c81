package grant

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	// Altered: somebody changed what is stored of the user without the keys. They count as
	// blocked until a block or its end writes it anew.
	Altered bool
}

// Blocked says whether the user is refused.
func (u *User) Blocked() bool { return !u.BlockedAt.IsZero() || u.Altered }

// covered are the columns of [db.Users].
func (u *User) covered() []any {
	return []any{u.Org, u.Subject, u.Username, u.Name, db.Millis(u.BlockedAt)}
}

// SeeUser records that the user signed in now. [ErrBlocked] as for a blocked user.
func (s *Store) SeeUser(ctx context.Context, org, subject string) error {
	if org == "" || subject == "" {
		return errors.New("recording user: org and subject are required")
	}
	err := s.db.Tx(ctx, func(tx *sql.Tx) error { return s.users.see(ctx, tx, org, subject, s.millis()) })
	if err != nil {
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
		others, err := s.users.takeUsername(ctx, tx, org, username, subject)
		if err != nil {
			return err
		}
		u, err := s.users.read(ctx, tx, org, subject)
		if err != nil {
			return err
		}
		if !u.found || u.Altered {
			return ErrNotFound
		}
		renamed := u.Username != username
		u.Username, u.Name = username, name
		if err := s.users.write(ctx, tx, u); err != nil {
			return err
		}
		if others || renamed { // groups and rules go by usernames
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
	all, err := s.readUsers(ctx, `org = $2 AND subject = $3`, org, subject)
	if err != nil {
		return nil, err
	}
	if len(all) > 0 {
		return &all[0], nil
	}
	blocked, err := s.db.ReadBlocked(ctx, s.db.Reads)
	switch {
	case errors.Is(err, db.ErrBlockedLost), blocked[db.UserKey{Org: org, Subject: subject}]:
		return &User{Org: org, Subject: subject, Altered: true}, nil
	case err != nil:
		return nil, err
	}
	return nil, ErrNotFound
}

// FindUsers returns the users whom who names: a Salesforce user id of 15 or 18
// characters, or a username in any case. One name can mean users of several orgs. The
// username of one that is [User.Altered] may be a lie: whoever gives access by it sees to that.
func (s *Store) FindUsers(ctx context.Context, who string) ([]User, error) {
	if who == "" {
		return nil, nil
	}
	return s.readUsers(ctx, `subject = $2 OR username = $3`, FullID(who), strings.ToLower(who))
}

// FindUsersIn is FindUsers for these orgs, which costs the same however many users there are. An id is
// the same person in a sandbox and in the org that it was copied from, so that a username names its user
// in each of them.
func (s *Store) FindUsersIn(ctx context.Context, orgs []string, who string) (all []User, err error) {
	if who == "" {
		return nil, nil
	}
	ids := []string{FullID(who)}
	for _, org := range orgs {
		named, err := s.readUsers(ctx, `org = $2 AND username = $3`, org, strings.ToLower(who))
		if err != nil {
			return nil, err
		}
		for _, u := range named {
			if !slices.Contains(ids, u.Subject) {
				ids = append(ids, u.Subject)
			}
		}
	}
	for _, org := range orgs {
		for _, id := range ids {
			known, err := s.readUsers(ctx, `org = $2 AND subject = $3`, org, id)
			if err != nil {
				return nil, err
			}
			all = append(all, known...)
		}
	}
	return all, nil
}

// FindUser is the user of one org whom who names, as FindUsers does; or [ErrNotFound].
func (s *Store) FindUser(ctx context.Context, org, who string) (*User, error) {
	for _, by := range [][2]string{{"subject", FullID(who)}, {"username", strings.ToLower(who)}} { // an index serves each, and none both
		if who == "" {
			break
		}
		all, err := s.readUsers(ctx, `org = $2 AND `+by[0]+` = $3`, org, by[1])
		if err != nil {
			return nil, err
		}
		if len(all) > 0 {
			return &all[0], nil
		}
	}
	return nil, ErrNotFound
}

// Users returns all users, by org and username.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return s.readUsers(ctx, `$2 = ''`, "")
}

// userColumns are those that [scanUser] reads, of the table u.
const userColumns = `u.org, u.subject, u.username, u.name, u.first_seen_at, u.last_seen_at, u.blocked_at, u.mac`

// scanUser reads a row, and into more what follows its columns. Whether it is authentic is for
// [Store.altered] to say.
func scanUser(row interface{ Scan(...any) error }, more ...any) (u User, mac string, err error) {
	var first, last, blocked int64
	if err := row.Scan(append([]any{&u.Org, &u.Subject, &u.Username, &u.Name, &first, &last, &blocked, &mac}, more...)...); err != nil {
		return u, "", fmt.Errorf("reading users: %w", err)
	}
	u.FirstSeenAt, u.LastSeenAt, u.BlockedAt = db.Time(first), db.Time(last), db.Time(blocked)
	return u, mac, nil
}

// altered says whether a row with that MAC is not what this program wrote of the user, or lacks a
// block that is listed.
func (s *Store) altered(u *User, mac string, listed db.Blocked) (bool, error) {
	authentic, err := s.db.Verify(db.Users, mac, u.covered()...)
	return !authentic || u.BlockedAt.IsZero() && listed[db.UserKey{Org: u.Org, Subject: u.Subject}], err
}

// readListed reads who is blocked; while nobody can know, what their rows say counts alone.
func (s *Store) readListed(ctx context.Context) (db.Blocked, error) {
	listed, err := s.db.ReadBlocked(ctx, s.db.Reads)
	if errors.Is(err, db.ErrBlockedLost) {
		err = nil
	}
	return listed, err
}

func (s *Store) readUsers(ctx context.Context, where string, args ...any) ([]User, error) {
	listed, err := s.readListed(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT `+userColumns+`,
		(SELECT COUNT(*) FROM grants WHERE grants.org = u.org AND grants.subject = u.subject AND grants.revoked_at = 0 AND grants.expires_at > $1)
		FROM users u WHERE `+where+` ORDER BY u.org, u.username, u.subject`, append([]any{s.millis()}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		connections := 0
		u, mac, err := scanUser(rows, &connections)
		if err != nil {
			return nil, err
		}
		u.Connections = connections
		if u.Altered, err = s.altered(&u, mac, listed); err != nil {
			return nil, err
		}
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
