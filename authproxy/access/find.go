package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/salesforce"
)

// FindUsers returns the users whom who names, at least one: a Salesforce user id of 15 or 18
// characters, or a username in any case; one name can mean several people. An id is the same
// person in a sandbox and in the org that it was copied from, where their username differs, so a
// username names its user in every org that has their id. It
// returns an [*UnknownUserError] if nobody of that name has signed in or been blocked here.
func (c *Control) FindUsers(ctx context.Context, who string) ([]grant.User, error) {
	if err := checkName(who); err != nil {
		return nil, c.unknown(ctx, who, err.Error())
	}
	users, err := c.grants.FindUsers(ctx, who)
	if err == nil && len(users) == 0 {
		err = c.unknown(ctx, who, "")
	}
	for _, named := range users {
		elsewhere, findErr := c.grants.FindUsers(ctx, named.Subject)
		err = errors.Join(err, findErr)
		for _, u := range elsewhere {
			if !has(users, u.Org, u.Subject) {
				users = append(users, u)
			}
		}
	}
	return users, err
}

// has says whether a user is among users.
func has(users []grant.User, org, subject string) bool {
	return slices.ContainsFunc(users, func(u grant.User) bool { return u.Org == org && u.Subject == subject })
}

// FindUsersToCome is [Control.FindUsers] for what is to hold before a user comes: everybody whom
// who names is a user of each org, and so is an id that was never seen.
func (c *Control) FindUsersToCome(ctx context.Context, who string) ([]grant.User, error) {
	users, err := c.FindUsers(ctx, who)
	unknown, isUnknown := errors.AsType[*UnknownUserError](err)
	if isUnknown {
		id, idErr := salesforce.ParseUserID(who)
		// 15 characters carry no checksum: the same letters in another case are a known user's.
		if unknown.Wrong == "" {
			unknown.Hint = "whoever has not is blocked by the Salesforce user id (005…)"
		}
		if idErr != nil || slices.ContainsFunc(unknown.Similar, func(u grant.User) bool { return letters(u.Subject) == letters(id) }) {
			return nil, err
		}
		for _, o := range c.orgs {
			users = append(users, grant.User{Org: o.Name, Subject: id})
		}
		return users, nil
	}
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		for _, o := range c.orgs {
			if !has(users, o.Name, u.Subject) {
				users = append(users, grant.User{Org: o.Name, Subject: u.Subject})
			}
		}
	}
	return users, nil
}

// checkName says what keeps who from being a user's id or username.
func checkName(who string) error {
	if strings.Contains(who, "@") || strings.HasPrefix(who, "person-") { // as the audit log calls somebody; see authproxy.Cutoff.Reapply
		return nil
	}
	if len(who) != 15 && len(who) != 18 {
		return errors.New("it is neither a Salesforce user id (005…, 15 or 18 characters) nor a username (name@company.example)")
	}
	_, err := salesforce.ParseUserID(who)
	return err
}

// UnknownUserError says that a name stands for nobody here.
type UnknownUserError struct {
	Who string // as it was given
	// Wrong is what keeps it from being anybody's id or username; "" if it could be one.
	Wrong string
	// Hint says what can be done about somebody who has not signed in yet; "": nothing more than about others.
	Hint string
	// Similar are those who may have been meant, at most three.
	Similar []grant.User
}

func (e *UnknownUserError) Error() string {
	text := fmt.Sprintf("no user %q has signed in", e.Who)
	if e.Wrong != "" {
		text = fmt.Sprintf("%q names nobody: %s", e.Who, e.Wrong)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	for i, u := range e.Similar {
		lead := "; did you mean "
		if i > 0 {
			lead = " or "
		}
		text += lead + u.Subject
		if u.Username != "" {
			text += " (" + u.Username + ")"
		}
	}
	if len(e.Similar) > 0 {
		return text + "?"
	}
	return text + "; 'user list' shows everybody"
}

// unknown makes the error about who, with those who may have been meant.
func (c *Control) unknown(ctx context.Context, who, wrong string) error {
	e := &UnknownUserError{Who: who, Wrong: wrong}
	users, err := c.grants.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		if len(e.Similar) < 3 && (alike(who, u.Subject) || u.Username != "" && alike(who, u.Username)) {
			e.Similar = append(e.Similar, u)
		}
	}
	return e
}

// Principal is whom a policy sees when the user of that id or username calls a server of
// the org through a client. A user who was never seen is believed to have what was given;
// what can be nobody's id or username is an [*UnknownUserError].
func (c *Control) Principal(ctx context.Context, org, who, client string) (policy.Principal, error) {
	p := policy.Principal{Org: org, Client: client}
	if err := checkName(who); err != nil {
		return p, c.unknown(ctx, who, err.Error())
	}
	found, err := c.grants.FindUser(ctx, org, who)
	if err != nil && !errors.Is(err, grant.ErrNotFound) {
		return p, err
	}
	if err == nil {
		p.Subject, p.Username = found.Subject, found.Username
	} else if strings.Contains(who, "@") {
		p.Username = strings.ToLower(who)
	} else {
		p.Subject = grant.FullID(who)
	}
	p.Groups = c.groupsOf(p.Subject, p.Username)
	return p, nil
}
