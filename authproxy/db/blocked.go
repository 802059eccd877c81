package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/seal"
)

// UserKey is a user of an org: what the table users is keyed by.
type UserKey struct{ Org, Subject string }

// ClientKey is a client in the set of who is blocked: no user is without an org.
func ClientKey(id string) UserKey { return UserKey{Subject: id} }

// Blocked is the set of users and clients who are blocked, beside the rows of users: a row that
// is deleted would let its user in. It lies sealed in meta.
type Blocked map[UserKey]bool

// BlockedLock is what [DB.Lock] of a transaction is called that writes them.
const BlockedLock = "blocked users"

// ErrBlockedLost says that the set of blocked users is gone, or not what this program wrote.
var ErrBlockedLost = errors.New("the list of blocked users was removed or changed without the keys")

// blockedName is its row in meta.
const blockedName = "blocked"

func blockedPlace() seal.Place {
	return seal.Place{Table: "meta", Row: blockedName, Purpose: "blocked users"}
}

// RowQuerier is a transaction, or a handle.
type RowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// ReadBlocked returns the users who are blocked, or an error, which is [ErrBlockedLost] if
// nobody can know any more, and [ErrKeyMissing] if whoever has the key can: such a list is not
// begun anew, and lets nobody in. A transaction that goes on to write them holds [BlockedLock].
func (d *DB) ReadBlocked(ctx context.Context, q RowQuerier) (Blocked, error) {
	var sealed string
	err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, blockedName).Scan(&sealed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("reading blocked users: %w", err)
	}
	var pairs [][2]string
	if err == nil && d.ring != nil {
		var text []byte
		if text, err = d.ring.Open(blockedPlace(), sealed); err == nil {
			err = json.Unmarshal(text, &pairs)
		}
	}
	if missing, ok := asMissing(err); ok {
		return nil, fmt.Errorf("reading who is blocked: %w (if no process has such a key, somebody wrote the row %s of meta: delete it, and block again who was blocked)", missing, blockedName)
	}
	if err != nil || d.ring == nil {
		d.altered.report(Altered{"meta", blockedName, ErrBlockedLost.Error() +
			"; block again who was blocked: until somebody is blocked or unblocked, nobody signs in who has not been here before"})
		return nil, ErrBlockedLost
	}
	all := Blocked{}
	for _, p := range pairs {
		all[UserKey{p[0], p[1]}] = true
	}
	return all, nil
}

// WriteBlocked stores them.
func (d *DB) WriteBlocked(ctx context.Context, tx *sql.Tx, all Blocked) error {
	pairs := [][2]string{}
	for user := range all {
		pairs = append(pairs, [2]string{user.Org, user.Subject})
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		return err
	}
	sealed, err := d.ring.Seal(blockedPlace(), text)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, blockedName, sealed)
	return err
}

// BlockedRows is the set as the rows of users have it: where there is no other.
func BlockedRows(ctx context.Context, tx *sql.Tx) (Blocked, error) {
	rows, err := tx.QueryContext(ctx, `SELECT org, subject FROM users WHERE blocked_at <> 0`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := Blocked{}
	for rows.Next() {
		var user UserKey
		if err := rows.Scan(&user.Org, &user.Subject); err != nil {
			return nil, err
		}
		all[user] = true
	}
	return all, rows.Err()
}
