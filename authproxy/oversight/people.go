package oversight

import (
	"context"
	"errors"
	"strings"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
)

// Standing is how a person stands, in words.
type Standing string

// The standings.
const (
	Altered      Standing = "blocked: changed in the database"
	Blocked      Standing = "blocked"
	LoginLost    Standing = "login lost"
	NotConnected Standing = "not connected"
	Connected    Standing = "connected"
)

// StandingOf is how a user stands whose Salesforce login is in that state.
func StandingOf(u *grant.User, login link.State) Standing {
	switch {
	case u.Altered:
		return Altered
	case u.Blocked():
		return Blocked
	case login == link.NeedsReauth:
		return LoginLost
	case u.Connections == 0:
		return NotConnected
	}
	return Connected
}

// Person is somebody who signed in, or is blocked.
type Person struct {
	grant.User
	Standing Standing
}

// People are those whose name, username or user id holds a text, and whose standing holds
// another; empty texts select all.
func (r *Reader) People(ctx context.Context, name, standing string) (all []Person, err error) {
	users, err := r.Grants.Users(ctx)
	if err != nil {
		return nil, err
	}
	lost, err := r.Links.Lost(ctx)
	if err != nil {
		return nil, err
	}
	states := map[[2]string]link.State{}
	for _, l := range lost {
		states[[2]string{l.Org, l.Subject}] = link.NeedsReauth
	}
	name = strings.ToLower(name)
	for _, u := range users {
		p := Person{u, StandingOf(&u, states[[2]string{u.Org, u.Subject}])}
		if u.Called(name) && (standing == "" || strings.Contains(string(p.Standing), standing)) {
			all = append(all, p)
		}
	}
	return all, nil
}

// LostLogins is how many Salesforce logins are over, whose people must sign in again.
func (r *Reader) LostLogins(ctx context.Context) (int, error) {
	lost, err := r.Links.Lost(ctx)
	return len(lost), err
}

// WholePerson is a person with what they have.
type WholePerson struct {
	Person
	Login   link.Status
	Grants  []grant.Grant
	Waiting []approval.Request // calls that wait for a person, the newest first
}

// Person is one person, or [ErrNotFound].
func (r *Reader) Person(ctx context.Context, org, subject string) (*WholePerson, error) {
	u, err := r.Grants.User(ctx, org, subject)
	if errors.Is(err, grant.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	p := &WholePerson{Person: Person{User: *u}}
	if p.Login, err = r.Links.Status(ctx, u.Org, u.Subject); err != nil {
		return nil, err
	}
	if p.Grants, err = r.Grants.Grants(ctx, grant.Filter{Org: u.Org, Subject: u.Subject}); err != nil {
		return nil, err
	}
	if p.Waiting, err = r.Approvals.List(ctx, approval.Filter{Org: u.Org, Subject: u.Subject, State: approval.Pending}); err != nil {
		return nil, err
	}
	p.Standing = StandingOf(u, p.Login.State)
	return p, nil
}

// Recent are the newest entries that concern a user, the oldest first.
func (r *Reader) Recent(ctx context.Context, u *grant.User, most int) ([]audit.Entry, error) {
	who := audit.Person{Subjects: []string{u.Subject}}
	if u.Username != "" {
		who.Usernames = []string{u.Username}
	}
	return r.found(ctx, audit.Filter{Person: who, Limit: most})
}
