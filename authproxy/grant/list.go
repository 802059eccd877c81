package grant

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sfmcp-proxy/authproxy/db"
)

// Filter selects grants; empty fields match all.
type Filter struct {
	Org, Subject, ClientID, Server string
	// All includes those that have ended.
	All bool
	// Limit is how many there are at most; 0: all. After that the next begin with Before, which is
	// the last one of the page before; nil: from the newest.
	Limit  int
	Before *Grant

	subjects, clientIDs []string // any of these; empty: all
}

// where is the condition of f with its arguments.
func (f Filter) where(now int64) (condition string, args []any) {
	var c db.Conditions
	for _, is := range [][2]string{{"org", f.Org}, {"subject", f.Subject}, {"client_id", f.ClientID}, {"server", f.Server}} {
		if is[1] != "" {
			c.Add("grants."+is[0]+" = ?", is[1])
		}
	}
	for _, among := range []struct {
		column string
		values []string
	}{{"subject", f.subjects}, {"client_id", f.clientIDs}} {
		if len(among.values) > 0 {
			values := make([]any, len(among.values))
			for i, v := range among.values {
				values[i] = v
			}
			c.Add("grants."+among.column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", values...)
		}
	}
	if !f.All {
		c.Add("grants.revoked_at = 0 AND grants.expires_at > ?", now)
	}
	if b := f.Before; b != nil {
		at := db.Millis(b.CreatedAt)
		c.Add("grants.created_at <= ? AND (grants.created_at < ? OR grants.id > ?)", at, at, b.ID)
	}
	return c.Where(), c.Args
}

// Grants lists the grants that match, newest first; live ones unless f.All.
func (s *Store) Grants(ctx context.Context, f Filter) ([]Grant, error) {
	where, args := f.where(s.millis())
	limit := ""
	if f.Limit > 0 {
		limit = " LIMIT " + strconv.Itoa(f.Limit)
	}
	all, err := scanGrants(s.db.Reads.QueryContext(ctx, `SELECT `+grantColumns+` FROM grants`+where+` ORDER BY grants.created_at DESC, grants.id`+limit, args...))
	if err != nil {
		return nil, fmt.Errorf("listing grants: %w", err)
	}
	return all, nil
}

// Amount is how many grants a user has.
type Amount struct {
	Org, Subject string
	N            int
}

// Amounts counts the grants that match, by user. Limit and Before do not count.
func (s *Store) Amounts(ctx context.Context, f Filter) (all []Amount, err error) {
	f.Before = nil
	where, args := f.where(s.millis())
	return s.amounts(ctx, where, args)
}

// amounts counts grants by user.
func (s *Store) amounts(ctx context.Context, where string, args []any) (all []Amount, err error) {
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT org, subject, COUNT(*) FROM grants`+where+` GROUP BY org, subject`, args...)
	if err != nil {
		return nil, fmt.Errorf("counting grants: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a Amount
		if err := rows.Scan(&a.Org, &a.Subject, &a.N); err != nil {
			return nil, fmt.Errorf("counting grants: %w", err)
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting grants: %w", err)
	}
	return all, nil
}

// OfClient is what the grants of a client amount to.
type OfClient struct {
	Grants, Users int
	LastUsedAt    time.Time // zero: none was used
	LatestAt      time.Time // when the last of them was made
}

// UsedAt is when the client was of use last: one that was connected and not called yet counts too.
func (of OfClient) UsedAt() time.Time {
	if of.LatestAt.After(of.LastUsedAt) {
		return of.LatestAt
	}
	return of.LastUsedAt
}

// ByClient is what the live grants of each client amount to, also where the client is not known
// any more; of those with these ids alone if there are any.
func (s *Store) ByClient(ctx context.Context, ids ...string) (map[string]OfClient, error) {
	where, args := Filter{clientIDs: ids}.where(s.millis())
	all, last := map[string]OfClient{}, map[string][2]time.Time{}
	// Two statements, because an index has all of the first, and none the last use, which changes often. They run
	// side by side: with 100,000 grants each takes a tenth of a second.
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error {
		return eachClient(ctx, s.db.Reads, `SELECT client_id, SUM(n), COUNT(*) FROM (SELECT client_id, org, subject, COUNT(*) AS n FROM grants`+where+`
			GROUP BY client_id, org, subject) AS users_of GROUP BY client_id`, args, func(client string, grants, users int64) {
			all[client] = OfClient{Grants: int(grants), Users: int(users)}
		})
	})
	both.Go(func() error {
		return eachClient(ctx, s.db.Reads, `SELECT client_id, MAX(last_used_at), MAX(created_at) FROM grants`+where+` GROUP BY client_id`, args, func(client string, used, latest int64) {
			last[client] = [2]time.Time{db.Time(used), db.Time(latest)}
		})
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	for client, at := range last {
		of := all[client]
		of.LastUsedAt, of.LatestAt = at[0], at[1]
		all[client] = of
	}
	return all, nil
}

// eachClient reads rows of a client and two numbers.
func eachClient(ctx context.Context, from *sql.DB, query string, args []any, read func(client string, a, b int64)) error {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("counting grants by client: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var client string
		var a, b int64
		if err := rows.Scan(&client, &a, &b); err != nil {
			return fmt.Errorf("counting grants by client: %w", err)
		}
		read(client, a, b)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("counting grants by client: %w", err)
	}
	return nil
}

// ByName are the users whose name, username or user id holds a part, whatever the case. What is
// told of them is for people to read: whoever gives access by it asks [Store.User].
func (s *Store) ByName(ctx context.Context, part string) (all []User, err error) {
	rows, err := s.db.Reads.QueryContext(ctx, `SELECT org, subject, username, name FROM users ORDER BY org, username, subject`)
	if err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	defer rows.Close()
	part = strings.ToLower(part)
	for rows.Next() {
		var u User
		if err := rows.Scan(&u.Org, &u.Subject, &u.Username, &u.Name); err != nil {
			return nil, fmt.Errorf("reading users: %w", err)
		}
		if u.Called(part) {
			all = append(all, u)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	return all, nil
}

// Called reports whether the name, username or user id holds a part, which is in small letters.
func (u *User) Called(part string) bool {
	return strings.Contains(strings.ToLower(u.Username), part) || strings.Contains(strings.ToLower(u.Name), part) || strings.Contains(strings.ToLower(u.Subject), part)
}
