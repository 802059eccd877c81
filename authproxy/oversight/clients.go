package oversight

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/grant"
)

// Client is a program with what its connections amount to.
type Client struct {
	client.Client
	Connections, People int
	LastUse             time.Time // zero: never
	Blocked             bool      // refused until somebody unblocks it
	// Hidden: unused for so long that lists leave it out. EndsAt is when its connections end if it
	// stays unused; zero: never, or it has none.
	Hidden bool
	EndsAt time.Time
}

// ClientsNamed are the programs whose name or id holds a text.
func (r *Reader) ClientsNamed(ctx context.Context, part string) ([]Client, error) {
	part = strings.ToLower(part)
	return r.clientList(ctx, func(c *client.Client) bool {
		return strings.Contains(strings.ToLower(c.Name), part) || strings.Contains(strings.ToLower(c.ID), part)
	})
}

// ClientList are all programs that are known.
func (r *Reader) ClientList(ctx context.Context) ([]Client, error) {
	return r.clientList(ctx, func(*client.Client) bool { return true })
}

// Client is one program, also one that is known by its connections alone; [ErrNotFound] if there
// is nothing of it to be ended or forgotten.
func (r *Reader) Client(ctx context.Context, id string) (*Client, error) {
	if id == "" {
		return nil, ErrNotFound
	}
	found, err := r.clientList(ctx, func(c *client.Client) bool { return c.ID == id })
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		return &found[0], nil
	}
	found, err = r.amounting(ctx, []client.Client{{ID: id, Name: id}}, nil)
	if err != nil || found[0].Connections == 0 {
		return nil, cmp.Or(err, ErrNotFound)
	}
	return &found[0], nil
}

// ClientsBehind are the programs in an order that does not change, from behind one on; nil: from the
// first on. There are at most so many. The database finds them: many may have registered themselves.
func (r *Reader) ClientsBehind(ctx context.Context, behind *client.Client, most int) ([]Client, error) {
	blocked, err := r.blockedClients(ctx)
	if err != nil {
		return nil, err
	}
	page, err := r.Clients.Page(ctx, behind, blocked, most)
	if err != nil {
		return nil, err
	}
	return r.amounting(ctx, page, blocked)
}

// blockedClients are the ids of those that are refused. While nobody can know, none is marked.
func (r *Reader) blockedClients(ctx context.Context) (map[string]bool, error) {
	blocked, err := r.Clients.Blocked(ctx)
	if errors.Is(err, db.ErrBlockedLost) { // which is reported by itself
		err = nil
	}
	return blocked, err
}

// clientList are the programs that fit. What the others amount to is not counted.
func (r *Reader) clientList(ctx context.Context, fits func(*client.Client) bool) ([]Client, error) {
	all, err := r.Clients.All(ctx)
	if err != nil {
		return nil, err
	}
	blocked, err := r.blockedClients(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(blocked)) { // of which nothing else may be known
		if !slices.ContainsFunc(all, func(c client.Client) bool { return c.ID == id }) {
			all = append(all, client.Client{ID: id, Name: id})
		}
	}
	every := len(all)
	all = slices.DeleteFunc(all, func(c client.Client) bool { return !fits(&c) })
	if len(all) == every && every > fewClients {
		return r.amountingOf(ctx, all, blocked)
	}
	return r.amounting(ctx, all, blocked)
}

// fewClients is up to how many clients are counted by their ids: of more, all are counted at once.
const fewClients = 60

// amounting are some clients with what their connections amount to.
func (r *Reader) amounting(ctx context.Context, some []client.Client, blocked map[string]bool) ([]Client, error) {
	var list []Client
	for few := range slices.Chunk(some, fewClients) {
		var ids []string
		for _, c := range few {
			ids = append(ids, c.ID)
		}
		counted, err := r.amountingOf(ctx, few, blocked, ids...)
		if err != nil {
			return nil, err
		}
		list = append(list, counted...)
	}
	return list, nil
}

// amountingOf counts the connections of clients with these ids, or of all, at once.
func (r *Reader) amountingOf(ctx context.Context, some []client.Client, blocked map[string]bool, ids ...string) (list []Client, err error) {
	of, err := r.Grants.ByClient(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for _, c := range some {
		list = append(list, r.amounts(c, of[c.ID], blocked[c.ID]))
	}
	return list, nil
}

// amounts is a client with what its connections amount to. What is not blocked and was not used, or
// heard of, for long is hidden.
func (r *Reader) amounts(c client.Client, of grant.OfClient, blocked bool) Client {
	one := Client{Client: c, Connections: of.Grants, People: of.Users, LastUse: of.LastUsedAt, Blocked: blocked}
	used := of.UsedAt()
	if of.Grants > 0 {
		one.EndsAt = r.Clients.Lifecycle().EndsAt(used)
	}
	if c.ReadAt.After(used) {
		used = c.ReadAt
	}
	one.Hidden = !blocked && r.Clients.Lifecycle().Hidden(used, r.Now())
	return one
}
