package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
)

// personIn is whom who names, an id or a username, in the audit log: with every id and every
// username that is theirs in any org. Whoever never signed in, but was refused, is known from the
// log alone. Of whom neither knows, the error is that of [access.Control.FindUsers].
func (s *stores) personIn(ctx context.Context, who string) (audit.Person, error) {
	users, err := s.access.FindUsers(ctx, who)
	unknown, isUnknown := errors.AsType[*access.UnknownUserError](err)
	switch {
	case isUnknown && unknown.Wrong == "":
		return s.personOfTheLog(ctx, who, err)
	case err != nil:
		return audit.Person{}, err
	}
	var subjects []string
	for _, u := range users {
		subjects = append(subjects, u.Subject)
	}
	return s.everywhere(ctx, subjects)
}

// personOfTheLog finds somebody whom the log names, else it returns the error.
func (s *stores) personOfTheLog(ctx context.Context, who string, unknown error) (audit.Person, error) {
	if strings.Contains(who, "@") {
		subjects, err := s.audit.Persons().SubjectsNamed(ctx, who)
		if err != nil {
			return audit.Person{}, err
		}
		if len(subjects) > 0 { // who had that username
			return s.everywhere(ctx, subjects)
		}
		return s.ifLogged(ctx, audit.Person{Usernames: []string{who}}, unknown)
	}
	return s.ifLogged(ctx, audit.Person{Subjects: []string{grant.FullID(who)}}, unknown)
}

// ifLogged is p if there is an entry that concerns p; otherwise it returns nobody, and the error.
func (s *stores) ifLogged(ctx context.Context, p audit.Person, unknown error) (audit.Person, error) {
	found := unknown
	err := s.audit.List(ctx, audit.Filter{Person: p, Limit: 1}, func(audit.Entry) error {
		found = nil
		return nil
	})
	if err := errors.Join(found, err); err != nil {
		return audit.Person{}, err
	}
	return p, nil
}

// everywhere adds what those ids are called in every org.
func (s *stores) everywhere(ctx context.Context, subjects []string) (p audit.Person, err error) {
	for _, subject := range subjects {
		if slices.Contains(p.Subjects, subject) {
			continue
		}
		p.Subjects = append(p.Subjects, subject)
		users, err := s.grants.FindUsers(ctx, subject)
		if err != nil {
			return p, err
		}
		for _, u := range users {
			if u.Username != "" && !slices.Contains(p.Usernames, u.Username) {
				p.Usernames = append(p.Usernames, u.Username)
			}
		}
	}
	return p, nil
}
