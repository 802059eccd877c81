package oversight

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/grant"
)

// Search is which connections are looked for; empty fields select all.
type Search struct {
	Person string // a part of the name, username or user id
	Client string // client id
	Server string // name of the endpoint
}

// Connections are the live connections that a search selects, the newest first.
func (r *Reader) Connections(ctx context.Context, s Search) ([]grant.Grant, error) {
	all, err := r.Grants.Grants(ctx, grant.Filter{ClientID: s.Client, Server: s.Server})
	part := strings.ToLower(s.Person)
	return slices.DeleteFunc(all, func(g grant.Grant) bool { return part != "" && !holderOf(&g).Called(part) }), err
}

func holderOf(g *grant.Grant) *grant.User {
	return &grant.User{Subject: g.Subject, Username: g.Username, Name: g.Name}
}

// Found is what a search selects: how much it is, and the newest of it.
type Found struct {
	Newest             []grant.Grant
	Connections, Users int
}

// fewPeople is up to how many people are asked for one by one: of more, so many connections are
// theirs that looking through the newest finds them sooner.
const fewPeople = 300

// NewestConnections counts what a search selects, and returns at most so many of it: the newest, or
// those behind a connection of which CreatedAt and ID are known.
func (r *Reader) NewestConnections(ctx context.Context, s Search, most int, behind *grant.Grant) (*Found, error) {
	f := grant.Filter{ClientID: s.Client, Server: s.Server, Limit: most, Before: behind}
	amounts, err := r.Grants.Amounts(ctx, f)
	if err != nil {
		return nil, err
	}
	called := map[[2]string]bool{} // nil: everybody
	if s.Person != "" {
		users, err := r.Grants.ByName(ctx, s.Person)
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			called[[2]string{u.Org, u.Subject}] = true
		}
	}
	found := &Found{}
	var holders []grant.Amount
	for _, a := range amounts {
		if s.Person == "" || called[[2]string{a.Org, a.Subject}] {
			found.Connections += a.N
			holders = append(holders, a)
		}
	}
	if found.Users = len(holders); found.Users == 0 {
		return found, nil
	}
	if s.Person != "" && len(holders) <= fewPeople {
		found.Newest, err = r.newestOf(ctx, f, holders)
	} else {
		found.Newest, err = r.newestAmong(ctx, f, func(g *grant.Grant) bool { return s.Person == "" || called[[2]string{g.Org, g.Subject}] })
	}
	return found, err
}

// newestOf are the newest connections of some people.
func (r *Reader) newestOf(ctx context.Context, f grant.Filter, holders []grant.Amount) (newest []grant.Grant, err error) {
	most := f.Limit
	for _, h := range holders {
		f.Org, f.Subject = h.Org, h.Subject
		of, err := r.Grants.Grants(ctx, f)
		if err != nil {
			return nil, err
		}
		newest = append(newest, of...)
	}
	slices.SortFunc(newest, func(a, b grant.Grant) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return newest[:min(len(newest), most)], nil
}

// newestAmong looks through the newest connections until it has as many as asked for.
func (r *Reader) newestAmong(ctx context.Context, f grant.Filter, is func(*grant.Grant) bool) (newest []grant.Grant, err error) {
	most := f.Limit
	for len(newest) < most {
		page, err := r.Grants.Grants(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if is(&page[i]) && len(newest) < most {
				newest = append(newest, page[i])
			}
		}
		if len(page) < f.Limit {
			return newest, nil
		}
		f.Before, f.Limit = &page[len(page)-1], 1000
	}
	return newest, nil
}

// OthersError says that another number of connections is there than was counted.
type OthersError struct{ Found int }

// Error says how many there are.
func (e *OthersError) Error() string { return fmt.Sprintf("%d connections were found", e.Found) }

// Counted are the connections that a search selects if they are as many as somebody counted who
// wants to end them: what is ended is what was seen. Otherwise, and for a search that selects
// everything, the error is an [*OthersError].
func (r *Reader) Counted(ctx context.Context, s Search, count int) ([]grant.Grant, error) {
	all, err := r.Connections(ctx, s)
	if err == nil && (s == Search{} || len(all) != count) {
		err = &OthersError{len(all)}
	}
	return all, err
}
