package grant

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// userRows are the rows of users, and the list of those who are blocked, which says it too.
// What is believed of either is decided here. What writes takes the transaction of its caller,
// who ends grants and raises the access epoch in it.
type userRows struct {
	db      *db.DB
	blocked *db.Cache[struct{}, db.Blocked]
}

// userRow is a row of users that a transaction goes by and may write.
type userRow struct {
	User
	found bool
}

// read reads a user's row, which stays as it is until the transaction ends. Of one that
// somebody changed nothing is believed but whose it is.
func (r *userRows) read(ctx context.Context, tx *sql.Tx, org, subject string) (*userRow, error) {
	u := &userRow{User: User{Org: org, Subject: subject}}
	var blocked int64
	var mac string
	err := tx.QueryRowContext(ctx, `SELECT username, name, blocked_at, mac FROM users WHERE org = $1 AND subject = $2`+r.db.ForUpdate("users"), org, subject).
		Scan(&u.Username, &u.Name, &blocked, &mac)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if u.found = err == nil; u.found {
		u.BlockedAt = db.Time(blocked)
		authentic, err := r.db.Verify(db.Users, mac, u.covered()...)
		if err != nil {
			return nil, err // to be blocked or not is written by whoever can read it
		}
		if !authentic {
			u.User = User{Org: org, Subject: subject, Altered: true}
		}
	}
	listed, err := r.db.ReadBlocked(ctx, tx)
	if err != nil && !errors.Is(err, db.ErrBlockedLost) {
		return nil, err
	}
	if u.BlockedAt.IsZero() && listed[db.UserKey{Org: org, Subject: subject}] {
		u.Altered = true
	}
	return u, nil
}

// write writes what u says, whatever somebody made of its row.
func (r *userRows) write(ctx context.Context, tx *sql.Tx, u *userRow) error {
	u.Altered = false
	_, err := tx.ExecContext(ctx, `UPDATE users SET username = $1, name = $2, blocked_at = $3, mac = $4 WHERE org = $5 AND subject = $6`,
		u.Username, u.Name, db.Millis(u.BlockedAt), r.db.MAC(db.Users, u.covered()...), u.Org, u.Subject)
	return err
}

// see records that the user is here. [ErrBlocked] refuses one who has not been here before
// while nobody can know who is blocked.
func (r *userRows) see(ctx context.Context, tx *sql.Tx, org, subject string, now int64) error {
	n, err := db.Affected(ctx, tx, `UPDATE users SET last_seen_at = $1 WHERE org = $2 AND subject = $3`, now, org, subject)
	if err != nil || n > 0 {
		return err
	}
	if _, err := r.db.ReadBlocked(ctx, tx); errors.Is(err, db.ErrBlockedLost) {
		return ErrBlocked
	} else if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO users (org, subject, first_seen_at, last_seen_at, mac) VALUES ($1, $2, $3, $3, $4)
		ON CONFLICT (org, subject) DO UPDATE SET last_seen_at = $3`, org, subject, now, r.db.MAC(db.Users, org, subject, "", "", int64(0)))
	return err
}

// takeUsername takes a username from everybody else in the org who has it, and reports
// whether anybody had. The usernames of the org are locked.
func (r *userRows) takeUsername(ctx context.Context, tx *sql.Tx, org, username, subject string) (bool, error) {
	rows, err := tx.QueryContext(ctx, `SELECT subject FROM users WHERE org = $1 AND username = $2 AND subject <> $3 ORDER BY subject`, org, username, subject)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var others []string
	for rows.Next() {
		var other string
		if err := rows.Scan(&other); err != nil {
			return false, err
		}
		others = append(others, other)
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	for _, other := range others {
		u, err := r.read(ctx, tx, org, other)
		if err != nil {
			return false, err
		}
		if u.Altered {
			continue // nobody goes by its username
		}
		u.Username = ""
		if err := r.write(ctx, tx, u); err != nil {
			return false, err
		}
	}
	return len(others) > 0, nil
}

// setBlocked writes, in the user's row and in the list, since when a user is blocked, 0: is
// not, and reports whether they were. A user need not have been seen before to be blocked.
// A list that is lost begins anew with those whose rows say so.
func (r *userRows) setBlocked(ctx context.Context, tx *sql.Tx, org, subject string, at int64) (was bool, err error) {
	if err := r.db.Lock(ctx, tx, db.BlockedLock); err != nil {
		return false, err
	}
	listed, err := r.db.ReadBlocked(ctx, tx)
	lost := errors.Is(err, db.ErrBlockedLost)
	if lost {
		listed, err = db.BlockedRows(ctx, tx)
	}
	if err != nil {
		return false, err
	}
	if at != 0 {
		_, err := tx.ExecContext(ctx, `INSERT INTO users (org, subject, first_seen_at, last_seen_at, mac) VALUES ($1, $2, $3, 0, $4)
			ON CONFLICT (org, subject) DO NOTHING`, org, subject, at, r.db.MAC(db.Users, org, subject, "", "", int64(0)))
		if err != nil {
			return false, err
		}
	}
	u, err := r.read(ctx, tx, org, subject)
	key := db.UserKey{Org: org, Subject: subject}
	if err != nil {
		return false, err
	}
	was = listed[key] || u.Blocked()
	inRow := !u.BlockedAt.IsZero()
	if block := at != 0; !lost && !u.Altered && listed[key] == block && inRow == block {
		return was, nil
	}
	if at == 0 {
		delete(listed, key)
		u.BlockedAt = time.Time{}
	} else if listed[key] = true; !inRow {
		u.BlockedAt = db.Time(at)
	}
	if err := r.db.WriteBlocked(ctx, tx, listed); err != nil {
		return was, err
	}
	return was, r.write(ctx, tx, u)
}

// listed says whether the list of blocked users has one. While it is lost, the rows of users
// say it alone. It remembers as [Store.Authenticate] does.
func (r *userRows) listed(ctx context.Context, org, subject string) (bool, error) {
	all, err := r.blocked.Get(struct{}{}, func(db.Blocked) bool { return true }, func() (db.Blocked, error) {
		return r.db.ReadBlocked(ctx, r.db.Reads)
	})
	if errors.Is(err, db.ErrBlockedLost) {
		return false, nil
	}
	return all[db.UserKey{Org: org, Subject: subject}], err
}
