package people

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/company"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
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
	made, err := s.DB.KnownAffected(ctx, `
		INSERT INTO human_links (org, subject, issuer, person, linked_at, mac) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (org, subject) DO NOTHING`, append(row, s.DB.MAC(db.HumanLinks, row...))...)
	if err != nil {
		return fmt.Errorf("linking a Salesforce user: %w", err)
	}
	if made == 1 { // whatever can be read now
		return nil
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
	}
	authentic, err := s.DB.Verify(db.HumanLinks, mac, org, subject, l.Issuer, l.Person, at)
	switch {
	case err != nil:
		return nil, err
	case !authentic:
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

// mostCalled bounds how many people of one name are found.
const mostCalled = 1000

// Called names every human whom a typed name may mean: by a Salesforce user id of 15 or 18 characters, a
// username, what somebody is called at the company, their e-mail address or subject there, or as entries of
// the audit log have an actor; with each human of the company the Salesforce users who are linked to them,
// and the other way round.
func (s *Store) Called(ctx context.Context, name string) (humans []string, err error) {
	var users []grant.User
	by := actor.Parse(name)
	issuer, subject, ofCompany := by.PersonOf()
	switch {
	case ofCompany:
		return s.selves(ctx, humans, company.Human(issuer, subject))
	case by.IsUser():
		name = by.ID
	}
	if s.Users != nil {
		if users, err = s.Users(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, u := range users {
		humans = append(humans, approval.SalesforceHuman(u.Org, u.Subject))
		human, err := s.HumanOf(ctx, u.Org, u.Subject)
		if err != nil {
			return nil, err
		}
		if humans, err = s.selves(ctx, humans, human); err != nil {
			return nil, err
		}
	}
	people, err := s.people(ctx, `WHERE LOWER(name) = LOWER($1) OR LOWER(email) = LOWER($1) OR LOWER(subject) = LOWER($1) LIMIT $2`, name, mostCalled)
	if err != nil {
		return nil, fmt.Errorf("looking for a person by name: %w", err)
	}
	for _, p := range people {
		if humans, err = s.selves(ctx, humans, p.Human()); err != nil {
			return nil, err
		}
	}
	return humans, nil
}

// selves adds a human, and the Salesforce users who are linked to them.
func (s *Store) selves(ctx context.Context, to []string, human string) ([]string, error) {
	to = append(to, human)
	issuer, subject, ok := company.ParseHuman(human)
	if !ok {
		return to, nil
	}
	links, err := s.LinksOf(ctx, issuer, subject)
	for _, l := range links {
		to = append(to, approval.SalesforceHuman(l.Org, l.Subject))
	}
	return to, err
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

// links are those that where selects, but for those that somebody changed. One under a key that is missing
// ([db.ErrKeyMissing]) is not passed over: by it somebody may be blocked, or be one human with another.
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
		authentic, err := s.DB.Verify(db.HumanLinks, mac, l.Org, l.Subject, l.Issuer, l.Person, at)
		if err != nil {
			return nil, err
		}
		if authentic {
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
	return changed(s.DB.KnownAffected(ctx, `DELETE FROM human_links WHERE org = $1 AND subject = $2`, org, subject))
}
