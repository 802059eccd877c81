package oversight

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
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

// AnyLost is what pages call [LoginLost] where they search by it.
const AnyLost = "lost"

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

// PeopleSearch is who is looked for, and in which order they come.
type PeopleSearch struct {
	Name string // a part of the name, username or user id; empty: everybody
	// Standing is one of the standings, of which [Blocked] selects whoever is refused, or [AnyLost]
	// for [LoginLost]; empty: all.
	Standing string
	// ByID has them ordered by org and user id, from behind Behind on; otherwise by org and username.
	ByID   bool
	Behind db.UserKey
	Most   int // how many a page has
}

// PeopleFound is a page of people, and how many were found from its first on.
type PeopleFound struct {
	Page  []Person
	Found int
}

// fits reports whether somebody stands as it was asked.
func (s PeopleSearch) fits(is Standing) bool {
	switch s.Standing {
	case "", string(is):
		return true
	case string(Blocked):
		return is == Altered
	case AnyLost:
		return is == LoginLost
	}
	return false
}

// People is a page of those whom a search selects. The database finds it: there may be very many.
func (r *Reader) People(ctx context.Context, s PeopleSearch) (*PeopleFound, error) {
	lost, err := r.Links.Lost(ctx)
	if err != nil {
		return nil, err
	}
	states := map[db.UserKey]link.State{}
	for _, l := range lost {
		states[db.UserKey{Org: l.Org, Subject: l.Subject}] = link.NeedsReauth
	}
	query := grant.UserQuery{Part: s.Name, ByID: s.ByID, Behind: s.Behind, Limit: s.Most}
	if s.Standing != "" {
		if query.Fits, err = r.standingAs(ctx, s, states); err != nil {
			return nil, err
		}
	}
	users, n, err := r.Grants.UserPage(ctx, query)
	found := &PeopleFound{Found: n}
	for i := range users {
		found.Page = append(found.Page, Person{users[i], StandingOf(&users[i], states[db.UserKey{Org: users[i].Org, Subject: users[i].Subject}])})
	}
	return found, err
}

// standingAs selects users by how they stand. Who has a connection is looked up for all of them at
// once, where it makes a difference.
func (r *Reader) standingAs(ctx context.Context, s PeopleSearch, states map[db.UserKey]link.State) (func(*grant.User) bool, error) {
	connections := map[db.UserKey]int{}
	if s.fits(Connected) || s.fits(NotConnected) {
		amounts, err := r.Grants.Amounts(ctx, grant.Filter{})
		if err != nil {
			return nil, err
		}
		for _, a := range amounts {
			connections[db.UserKey{Org: a.Org, Subject: a.Subject}] = a.N
		}
	}
	return func(u *grant.User) bool {
		key, with := db.UserKey{Org: u.Org, Subject: u.Subject}, *u
		with.Connections = connections[key]
		return s.fits(StandingOf(&with, states[key]))
	}, nil
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

// Recent are the newest entries that concern the human who a user is, each deed once as [Reader.Ended] has them.
func (r *Reader) Recent(ctx context.Context, u *grant.User, most int) ([]audit.Entry, error) {
	who, err := r.Humans().Of(ctx, *u)
	if err != nil {
		return nil, err
	}
	recent, _, err := r.Ended(ctx, audit.Filter{Person: who.Person}, "", most)
	return recent, err
}
