package grant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/db"
)

// UserQuery is which users a page is of, and in which order they come.
type UserQuery struct {
	// Part selects those whose name, username or user id holds it, whatever the case.
	Part string
	// Fits selects among them; nil: all. It is asked before Connections are counted.
	Fits func(*User) bool
	// ByID orders them by org and user id, which never change, from behind Behind on. Otherwise
	// they come by org and username, from the first on.
	ByID   bool
	Behind db.UserKey
	// Limit is how many a page has at most.
	Limit int
}

// statement reads the users of q in their order, with its arguments.
func (q UserQuery) statement() (text string, args []any) {
	text = `SELECT ` + userColumns + ` FROM users u`
	if !q.ByID {
		return text + ` ORDER BY u.org, u.username, u.subject`, nil
	}
	return text + ` WHERE (u.org, u.subject) > ($1, $2) ORDER BY u.org, u.subject`, []any{q.Behind.Org, q.Behind.Subject}
}

// UserPage is a page of users, and how many are selected from its first on. The database hands
// them over one by one: no more than a page is kept, and only its connections are counted.
func (s *Store) UserPage(ctx context.Context, q UserQuery) (page []User, selected int, err error) {
	listed, err := s.readListed(ctx)
	if err != nil {
		return nil, 0, err
	}
	text, args := q.statement()
	rows, err := s.db.Reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("reading users: %w", err)
	}
	defer rows.Close()
	part := strings.ToLower(q.Part)
	for rows.Next() {
		u, mac, err := scanUser(rows)
		if err != nil {
			return nil, 0, err
		}
		if part != "" && !u.Called(part) {
			continue
		}
		if kept := len(page) < q.Limit; kept || q.Fits != nil { // of others nobody asks whether they are authentic
			if u.Altered, err = s.altered(&u, mac, listed); err != nil {
				return nil, 0, err
			}
		}
		if q.Fits != nil && !q.Fits(&u) {
			continue
		}
		if selected++; len(page) < q.Limit {
			page = append(page, u)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("reading users: %w", err)
	}
	return page, selected, s.countConnections(ctx, page)
}

// countedAtOnce is of how many users one statement counts: the driver of SQLite looks through all
// arguments for each of them.
const countedAtOnce = 60

// countConnections fills in how many live grants each of some users has.
func (s *Store) countConnections(ctx context.Context, users []User) error {
	at := map[db.UserKey]int{}
	of := map[string][]string{} // by org, so that an index serves the statement
	for i, u := range users {
		at[db.UserKey{Org: u.Org, Subject: u.Subject}] = i
		of[u.Org] = append(of[u.Org], u.Subject)
	}
	for org, subjects := range of {
		for some := range slices.Chunk(subjects, countedAtOnce) {
			where, args := Filter{Org: org, subjects: some}.where(s.millis())
			rows, err := s.amounts(ctx, where, args)
			if err != nil {
				return err
			}
			for _, a := range rows {
				users[at[db.UserKey{Org: a.Org, Subject: a.Subject}]].Connections = a.N
			}
		}
	}
	return nil
}
