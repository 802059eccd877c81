package console

import (
	"context"
	"net/http"
	"strings"
)

// Part makes what a page shows that changes while it is in view, as HTML.
type Part func(context.Context) (string, error)

// PartForRoles is a stream of part to people who hold one of the roles: now, and whenever it is
// another. It counts as an inbox among those that are in view, and ends like one: with the session,
// or with the role. No role: nobody.
func (c *Console) PartForRoles(roles []string, part Part) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watch := live{c}
		look := func(r *http.Request) (*visit, error) { return watch.holder(r, roles) }
		watch.serve(w, r, look, func(stream *inboxStream, _ *visit) error { return stream.parts(r.Context(), roles, part) })
	})
}

// holder is who is signed in and holds one of the roles now, which is no sign of life of a session.
func (c live) holder(r *http.Request, roles []string) (*visit, error) {
	v, err := c.look(r)
	switch {
	case err != nil:
		return nil, err
	case v.person == nil:
		return nil, errNoPerson
	case v.person.Stale:
		return nil, errStale
	case !holds(v.person, roles):
		return nil, errNoRole
	}
	return v, nil
}

// parts sends part now and whenever it is another.
func (s *inboxStream) parts(ctx context.Context, roles []string, part Part) error {
	if err := s.write("retry: 5000\n\n"); err != nil {
		return err
	}
	first := true
	return s.Streams.ticks(ctx, func() (over bool, err error) {
		if !first {
			if _, over, err = s.again(func(r *http.Request) (*visit, error) { return s.holder(r, roles) }); over || err != nil {
				return over, err
			}
		}
		first = false
		text, err := part(ctx)
		if err != nil {
			return false, err
		}
		if text == s.listed {
			return false, s.keep()
		}
		s.listed = text
		return false, s.write("event: part\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n")
	})
}
