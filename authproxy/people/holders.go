package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"sfmcp-proxy/authproxy/db"
)

// Bounds of [Store.Holders].
const (
	holdersLooked = 200 // people, those of whom the provider spoke last
	holdersFound  = 20
)

// Holders are people who hold a role by what the provider last said of them, at most twenty, those who
// signed in last first, without who is blocked. What was said may be too old to give the role: whoever
// decides signs in first. So it is for telling somebody whom to ask, and nothing follows from it.
func (s *Store) Holders(ctx context.Context, role string) (holders []Person, err error) {
	if s == nil {
		return nil, nil
	}
	all, err := s.people(ctx, `ORDER BY checked_at DESC, issuer, subject LIMIT $1`, holdersLooked)
	if errors.Is(err, db.ErrKeyMissing) { // it is for reading alone
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading who holds a role: %w", err)
	}
	for _, p := range all {
		if !slices.Contains(s.SignIn.Roles(p.Identity), role) {
			continue
		}
		if blocked, err := s.blocked(ctx, p.Issuer, p.Subject); err != nil || blocked {
			continue
		}
		if holders = append(holders, p); len(holders) == holdersFound {
			break
		}
	}
	return holders, nil
}

// mostNamed is how many people of one name are found.
const mostNamed = 10

// Named are people who are called so, or have that e-mail address, in any case of ASCII letters, or that subject; ten
// at most. A nil store knows nobody.
func (s *Store) Named(ctx context.Context, who string) (all []Person, err error) {
	if s == nil || who == "" {
		return nil, nil
	}
	if all, err = s.people(ctx, `WHERE LOWER(name) = LOWER($1) OR LOWER(email) = LOWER($1) OR subject = $1 ORDER BY issuer, subject LIMIT $2`, who, mostNamed); err != nil {
		return nil, fmt.Errorf("looking for a person by name: %w", err)
	}
	return all, nil
}

// Known is what the provider last said of a person; nil: nothing that is still here.
func (s *Store) Known(ctx context.Context, issuer, subject string) (*Person, error) {
	all, err := s.people(ctx, `WHERE issuer = $1 AND subject = $2`, issuer, subject)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// people are those of whom the provider spoke, as an SQL clause selects them, but for those of whom somebody
// changed what is stored. Whose key is missing ([db.ErrKeyMissing]) is not passed over: a name may mean them.
func (s *Store) people(ctx context.Context, clause string, args ...any) (all []Person, err error) {
	rows, err := s.DB.Reads.QueryContext(ctx, `SELECT issuer, subject, name, email, groups, checked_at, mac FROM company_people `+clause, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Person
		var groups, mac string
		var checked int64
		if err := rows.Scan(&p.Issuer, &p.Subject, &p.Name, &p.Email, &groups, &checked, &mac); err != nil {
			return nil, err
		}
		authentic, err := s.DB.Verify(db.CompanyPeople, mac, p.Issuer, p.Subject, p.Name, p.Email, groups, checked)
		if err != nil {
			return nil, err
		}
		if authentic && json.Unmarshal([]byte(groups), &p.Groups) == nil {
			all = append(all, p)
		}
	}
	return all, rows.Err()
}
