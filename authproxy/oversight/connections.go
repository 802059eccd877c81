package oversight

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
)

// Search is which connections are looked for; empty fields select all.
type Search struct {
	Person string // a part of the name, username or user id
	Client string // client id
	Server string // name of the endpoint
}

// Connections are the live connections that a search selects, the newest first.
func (r *Reader) Connections(ctx context.Context, s Search) (all []grant.Grant, err error) {
	grants, err := r.Grants.Grants(ctx, grant.Filter{ClientID: s.Client})
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		u := grant.User{Subject: g.Subject, Username: g.Username, Name: g.Name}
		if (s.Server == "" || g.Server == s.Server) && isNamed(&u, s.Person) {
			all = append(all, g)
		}
	}
	slices.SortStableFunc(all, func(a, b grant.Grant) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, nil
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

// Persons is how many people have those connections.
func Persons(all []grant.Grant) int {
	seen := map[[2]string]bool{}
	for _, g := range all {
		seen[[2]string{g.Org, g.Subject}] = true
	}
	return len(seen)
}

// Client is a program with what its connections amount to.
type Client struct {
	client.Client
	Connections, People int
	LastUse             time.Time // zero: never
	Blocked             bool      // refused until somebody unblocks it
}

// ClientsNamed are the programs whose name or id holds a text.
func (r *Reader) ClientsNamed(ctx context.Context, part string) ([]Client, error) {
	all, err := r.ClientList(ctx)
	part = strings.ToLower(part)
	return slices.DeleteFunc(all, func(c Client) bool {
		return !strings.Contains(strings.ToLower(c.Name), part) && !strings.Contains(strings.ToLower(c.ID), part)
	}), err
}

// blockedClients are the ids of those that are refused. While nobody can know, none is marked.
func (r *Reader) blockedClients(ctx context.Context) (map[string]bool, error) {
	blocked, err := r.Clients.Blocked(ctx)
	if errors.Is(err, db.ErrBlockedLost) { // which is reported by itself
		err = nil
	}
	return blocked, err
}

// ClientList are all programs that are known.
func (r *Reader) ClientList(ctx context.Context) (list []Client, err error) {
	all, err := r.Clients.All(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := r.Grants.Grants(ctx, grant.Filter{})
	if err != nil {
		return nil, err
	}
	of := map[string][]grant.Grant{}
	for _, g := range grants {
		of[g.ClientID] = append(of[g.ClientID], g)
	}
	blocked, err := r.blockedClients(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		list = append(list, amounting(c, of[c.ID], blocked[c.ID]))
		delete(blocked, c.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(blocked)) { // of which nothing else may be known
		list = append(list, amounting(client.Client{ID: id, Name: id}, of[id], true))
	}
	return list, nil
}

// Client is one program, also one that is known by its connections alone; [ErrNotFound] if there
// is nothing of it to be ended or forgotten.
func (r *Reader) Client(ctx context.Context, id string) (*Client, error) {
	if id == "" {
		return nil, ErrNotFound
	}
	all, err := r.Clients.All(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := r.Grants.Grants(ctx, grant.Filter{ClientID: id})
	if err != nil {
		return nil, err
	}
	known := client.Client{ID: id, Name: id}
	at := slices.IndexFunc(all, func(c client.Client) bool { return c.ID == id })
	blocked, err := r.blockedClients(ctx)
	if err != nil {
		return nil, err
	}
	if at < 0 && len(grants) == 0 && !blocked[id] {
		return nil, ErrNotFound
	}
	if at >= 0 {
		known = all[at]
	}
	c := amounting(known, grants, blocked[id])
	return &c, nil
}

// amounting is a client with what its connections amount to.
func amounting(c client.Client, grants []grant.Grant, blocked bool) Client {
	of := Client{Client: c, Connections: len(grants), People: Persons(grants), Blocked: blocked}
	for _, g := range grants {
		if g.LastUsedAt.After(of.LastUse) {
			of.LastUse = g.LastUsedAt
		}
	}
	return of
}
