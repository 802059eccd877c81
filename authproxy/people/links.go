package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
)

// Link says that a Salesforce user and a person of the company are one human.
type Link struct {
	Org, Subject   string // the Salesforce user
	Issuer, Person string // issuer and subject of the company's sign-in
	LinkedAt       time.Time
}

// Link stores that they are one. Again is fine; a user who is linked to another person is
// [ErrLinked].
func (s *Store) Link(ctx context.Context, l Link) error {
	row := []any{l.Org, l.Subject, l.Issuer, l.Person, db.Millis(s.Now())}
	_, err := s.DB.Writes.ExecContext(ctx, `
		INSERT INTO human_links (org, subject, issuer, person, linked_at, mac) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (org, subject) DO NOTHING`, append(row, s.DB.MAC(db.HumanLinks, row...))...)
	if err != nil {
		return fmt.Errorf("linking a Salesforce user: %w", err)
	}
	have, err := s.link(ctx, l.Org, l.Subject)
	if err != nil {
		return err
	}
	if have == nil || have.Issuer != l.Issuer || have.Person != l.Person {
		return ErrLinked
	}
	return nil
}

// ErrAltered is a link that somebody changed: who is behind the user is not known then, and
// nobody is to count for being somebody else.
var ErrAltered = errors.New("the link of this Salesforce user was changed by something else than the proxy: remove it with 'user unlink' and link again")

// link is that of a Salesforce user; nil: there is none.
func (s *Store) link(ctx context.Context, org, subject string) (*Link, error) {
	l := Link{Org: org, Subject: subject}
	var at int64
	var mac string
	err := s.DB.Reads.QueryRowContext(ctx, `SELECT issuer, person, linked_at, mac FROM human_links WHERE org = $1 AND subject = $2`, org, subject).
		Scan(&l.Issuer, &l.Person, &at, &mac)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading a link: %w", err)
	case !s.DB.Authentic(db.HumanLinks, mac, org, subject, l.Issuer, l.Person, at):
		return nil, ErrAltered
	}
	l.LinkedAt = db.Time(at)
	return &l, nil
}

// HumanOf names the human behind a Salesforce user.
func (s *Store) HumanOf(ctx context.Context, org, subject string) (string, error) {
	l, err := s.link(ctx, org, subject)
	if err != nil {
		return "", err
	}
	if l == nil {
		return approval.SalesforceHuman(org, subject), nil
	}
	return company.Human(l.Issuer, l.Person), nil
}

// LinkOf is the link of a Salesforce user; nil: there is none. [ErrAltered]
func (s *Store) LinkOf(ctx context.Context, org, subject string) (*Link, error) {
	return s.link(ctx, org, subject)
}

// Links are all links, by org and user.
func (s *Store) Links(ctx context.Context) ([]Link, error) { return s.links(ctx, "") }

// LinksOf are the links to a person.
func (s *Store) LinksOf(ctx context.Context, issuer, person string) ([]Link, error) {
	return s.links(ctx, ` WHERE issuer = $1 AND person = $2`, issuer, person)
}

// links are those that where selects, but for those that somebody changed.
func (s *Store) links(ctx context.Context, where string, args ...any) (all []Link, err error) {
	rows, err := s.DB.Reads.QueryContext(ctx, `SELECT org, subject, issuer, person, linked_at, mac FROM human_links`+where+` ORDER BY org, subject`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l Link
		var at int64
		var mac string
		if err := rows.Scan(&l.Org, &l.Subject, &l.Issuer, &l.Person, &at, &mac); err != nil {
			return nil, fmt.Errorf("reading links: %w", err)
		}
		if s.DB.Authentic(db.HumanLinks, mac, l.Org, l.Subject, l.Issuer, l.Person, at) {
			l.LinkedAt = db.Time(at)
			all = append(all, l)
		}
	}
	return all, rows.Err()
}

// blocked reports whether one of the Salesforce users who are the same human as a person is
// blocked.
func (s *Store) blocked(ctx context.Context, issuer, person string) (bool, error) {
	if s.Blocked == nil {
		return false, nil
	}
	links, err := s.LinksOf(ctx, issuer, person)
	for _, l := range links {
		blocked, blockedErr := s.Blocked(ctx, l.Org, l.Subject)
		if err = errors.Join(err, blockedErr); blocked {
			return true, err
		}
	}
	return false, err
}

// Unlink removes a user's link, or [ErrNotFound].
func (s *Store) Unlink(ctx context.Context, org, subject string) error {
	return changed(s.DB.Writes.ExecContext(ctx, `DELETE FROM human_links WHERE org = $1 AND subject = $2`, org, subject))
}
