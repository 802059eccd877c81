package roster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// claimPrefix begins the names of the rows of meta that say which log has what; the value is when, in milliseconds of
// 13 digits, and the name of the log.
const claimPrefix = "claim "

// maxClaims is how many claims of a kind there are; with one more the oldest is forgotten.
const maxClaims = 1000

// Claim is that one log of a shared database has what is called so, such as an access review.
type Claim struct {
	Name   string
	Origin string // of the log
	Host   string // of the machine that the log was begun on; "": the roster does not have it
	At     time.Time
	Own    bool // it is the log of this process
}

// Claim has the own log claim a name, of a kind of one word, and returns whose it is: that of the log which came first.
// The own log must have an entry. A log that claims a name again has it still.
func (r *Roster) Claim(ctx context.Context, kind, name string) (Claim, error) {
	if r == nil || !r.shared {
		return Claim{Name: name, Own: true}, nil
	}
	origin, begun := r.own()
	if !begun {
		return Claim{}, errors.New("claiming a name for the audit log: it has no entry")
	}
	row := claimPrefix + kind + " " + name
	n, err := db.Affected(ctx, r.rows.db.Writes, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, row, fmt.Sprintf("%013d %s", db.Millis(r.now()), origin))
	if err == nil && n > 0 {
		_, err = r.rows.db.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name LIKE $1 AND value < (SELECT value FROM meta WHERE name LIKE $1 ORDER BY value DESC LIMIT 1 OFFSET $2)`,
			claimPrefix+kind+" %", maxClaims-1)
	}
	if err != nil {
		return Claim{}, fmt.Errorf("claiming a name for the audit log: %w", err)
	}
	c, has, err := r.Claimed(ctx, kind, name)
	if err == nil && !has {
		err = fmt.Errorf("claiming a name for the audit log: the row %q is not there any more", row)
	}
	return c, err
}

// Claimed says which log has claimed a name; false: none has.
func (r *Roster) Claimed(ctx context.Context, kind, name string) (c Claim, has bool, err error) {
	if r == nil || !r.shared {
		return c, false, nil
	}
	var value string
	err = r.rows.db.Reads.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = $1`, claimPrefix+kind+" "+name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	if err == nil {
		c, err = r.claim(name, value)
	}
	if err == nil {
		var l row
		if l, err = r.rows.one(ctx, c.Origin); errors.Is(err, ErrNotFound) {
			err = nil
		}
		c.Host = l.Host
	}
	if err != nil {
		return c, false, fmt.Errorf("reading which audit log has %s: %w", name, err)
	}
	return c, true, nil
}

// Claims are those of other logs, at most so many, the newest first.
func (r *Roster) Claims(ctx context.Context, kind string, most int) (all []Claim, err error) {
	if r == nil || !r.shared {
		return nil, nil
	}
	logs, err := r.rows.all(ctx)
	if err != nil {
		return nil, err
	}
	hosts := map[string]string{}
	for _, l := range logs {
		hosts[l.Origin] = l.Host
	}
	prefix := claimPrefix + kind + " "
	rows, err := r.rows.db.Reads.QueryContext(ctx, `SELECT name, value FROM meta WHERE name LIKE $1 ORDER BY value DESC LIMIT $2`, prefix+"%", maxClaims)
	if err != nil {
		return nil, fmt.Errorf("reading what other audit logs have: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("reading what other audit logs have: %w", err)
		}
		c, err := r.claim(strings.TrimPrefix(name, prefix), value)
		if err != nil {
			return nil, err
		}
		if c.Host = hosts[c.Origin]; !c.Own && len(all) < most {
			all = append(all, c)
		}
	}
	return all, rows.Err()
}

// claim reads a value.
func (r *Roster) claim(name, value string) (Claim, error) {
	at, origin, ok := strings.Cut(value, " ")
	millis, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return Claim{}, fmt.Errorf("the claim of %q is %q, which the proxy does not write", name, value)
	}
	own, _ := r.own()
	return Claim{Name: name, Origin: origin, At: db.Time(millis), Own: origin == own}, nil
}
