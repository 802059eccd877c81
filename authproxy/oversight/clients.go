package oversight

import (
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
	of, err := r.Grants.ByClient(ctx, "")
	if err != nil {
		return nil, err
	}
	blocked, err := r.blockedClients(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		list = append(list, r.amounting(c, of[c.ID], blocked[c.ID]))
		delete(blocked, c.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(blocked)) { // of which nothing else may be known
		list = append(list, r.amounting(client.Client{ID: id, Name: id}, of[id], true))
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
	of, err := r.Grants.ByClient(ctx, id)
	if err != nil {
		return nil, err
	}
	known := client.Client{ID: id, Name: id}
	at := slices.IndexFunc(all, func(c client.Client) bool { return c.ID == id })
	blocked, err := r.blockedClients(ctx)
	if err != nil {
		return nil, err
	}
	if at < 0 && of[id].Grants == 0 && !blocked[id] {
		return nil, ErrNotFound
	}
	if at >= 0 {
		known = all[at]
	}
	c := r.amounting(known, of[id], blocked[id])
	return &c, nil
}

// amounting is a client with what its connections amount to. What is not blocked and was not used, or
// heard of, for long is hidden.
func (r *Reader) amounting(c client.Client, of grant.OfClient, blocked bool) Client {
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
