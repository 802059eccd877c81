package client

import (
	"context"
	"maps"
	"slices"
)

// place is where a client stands in the order of [Store.Page]: what is configured, what is stored,
// and that of which nothing is known but that it is refused.
func (c *Client) place() int {
	switch c.Kind {
	case Configured:
		return 0
	case Document, Dynamic:
		return 1
	}
	return 2
}

// Page is a page of the clients that are known and of those that are blocked, each of which stays
// where it is whatever comes and goes: from behind one on, of which ID and Kind are known; nil: from
// the first on. There are at most so many. Of what is stored no more than these is judged and kept; PostgreSQL sends all
// that is behind, which [Store.Register] bounds.
func (s *Store) Page(ctx context.Context, behind *Client, blocked map[string]bool, most int) (page []Client, err error) {
	if behind == nil {
		behind = &Client{Kind: Configured}
	}
	// left is the id from behind which the clients of one place are wanted; wanted: there are any.
	left := func(place int) (id string, wanted bool) {
		switch at := behind.place(); {
		case at > place || len(page) >= most:
			return "", false
		case at == place:
			return behind.ID, true
		}
		return "", true
	}
	if id, wanted := left(0); wanted {
		for _, c := range s.UserDefined() {
			if c.ID > id && len(page) < most {
				page = append(page, c)
			}
		}
	}
	if id, wanted := left(1); wanted {
		stored, err := s.registered(ctx, id, most-len(page))
		if err != nil {
			return nil, err
		}
		page = append(page, stored...)
	}
	id, wanted := left(2)
	for _, refused := range slices.Sorted(maps.Keys(blocked)) {
		if !wanted || refused <= id || len(page) >= most {
			continue
		}
		known, err := s.listed(ctx, refused)
		if err != nil {
			return nil, err
		}
		if !known {
			page = append(page, Client{ID: refused, Name: refused})
		}
	}
	return page, nil
}

// listed says whether a client is one of those that are configured, or stored and may be used.
func (s *Store) listed(ctx context.Context, id string) (bool, error) {
	if _, configured := s.clients[id]; configured {
		return true, nil
	}
	r, err := s.registration(ctx, id)
	if err != nil || r == nil || !s.Knows(id) {
		return false, err
	}
	_, err = s.clientOf(r)
	return err == nil, nil
}
