package console

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/ui"
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
	over, tick := time.NewTimer(s.Streams.lifetime), time.NewTicker(s.Streams.pause)
	defer over.Stop()
	defer tick.Stop()
	if err := s.write("retry: 5000\n\n"); err != nil {
		return err
	}
	for {
		text, err := part(ctx)
		if err != nil {
			return err
		}
		switch {
		case text != s.listed:
			s.listed = text
			err = s.write("event: part\ndata: " + strings.ReplaceAll(text, "\n", "\ndata: ") + "\n\n")
		case time.Since(s.sent) > streamQuiet:
			err = s.write(":\n\n")
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.Streams.ended:
			return nil
		case <-over.C:
			return nil
		case <-tick.C:
		}
		_, err = s.holder(s.r, roles)
		if known := (*problem)(nil); errors.Is(err, ui.ErrNoSession) || errors.As(err, &known) {
			return s.write("event: ended\ndata: \n\n")
		}
		if err != nil {
			return err
		}
	}
}
