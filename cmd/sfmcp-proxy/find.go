package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/clientdoc"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/nearest"
	"sfmcp-proxy/authproxy/ui"
	"sfmcp-proxy/cmd/sfmcp-proxy/listing"
)

// findUsers are the users whom who names, as one of the ways of [access.Control] finds them. Of a username that somebody
// had earlier the error says what they are called now: another one's may look like it.
func (s *stores) findUsers(ctx context.Context, who string, find func(context.Context, string) ([]grant.User, error)) ([]grant.User, error) {
	users, err := find(ctx, who)
	if _, unknown := errors.AsType[*access.UnknownUserError](err); !unknown || !strings.Contains(who, "@") {
		return users, err
	}
	subjects, logErr := s.audit.Persons().SubjectsNamed(ctx, who)
	if logErr != nil || len(subjects) == 0 {
		return nil, err // the log helps where it can
	}
	var now []string
	for _, subject := range subjects {
		called, err := s.grants.FindUsers(ctx, subject)
		if err != nil {
			return nil, err
		}
		for _, u := range called {
			now = append(now, fmt.Sprintf("%s in org %s", listing.Person(u.Username, u.Subject), u.Org))
		}
		if len(called) == 0 {
			now = append(now, subject+", who never signed in or was erased")
		}
	}
	return nil, fmt.Errorf("nobody has the username %q now; by the audit log it was that of %s: name them so; nothing was done", ui.Printable(who), strings.Join(now, ", and of "))
}

// hinted is err, which says what can be done about somebody who has not signed in yet, if it is about such a user.
func hinted(err error, hint string) error {
	if unknown, ok := errors.AsType[*access.UnknownUserError](err); ok && unknown.Wrong == "" {
		unknown.Hint = hint
	}
	return err
}

// unseen says whether nobody of that id has signed in to that org: what is done about them reaches nobody now.
func unseen(u grant.User) bool { return u.LastSeenAt.IsZero() && u.Connections == 0 && !u.Altered }

// unseenUser is what is said of somebody who never signed in, with who may have been meant.
func (s *stores) unseenUser(ctx context.Context, who string) string {
	text := who + " has not signed in here, and is refused if they do"
	all, err := s.grants.Users(ctx)
	if err != nil {
		return text
	}
	ids := []string{}
	for _, u := range all {
		if !unseen(u) {
			ids = append(ids, u.Subject)
		}
	}
	return text + nearest.Question(grant.FullID(who), ids)
}

// knowsClient says whether a client of that id is configured, was registered or ever connected here. What may have been
// meant is a question to append, or "".
func (s *stores) knowsClient(ctx context.Context, id string) (known bool, meant string, err error) {
	clients, err := s.clients.All(ctx)
	if err != nil || slices.ContainsFunc(clients, func(c client.Client) bool { return c.ID == id }) {
		return err == nil, "", err
	}
	grants, err := s.grants.Grants(ctx, grant.Filter{ClientID: id, All: true})
	if err != nil || len(grants) > 0 {
		return err == nil, "", err
	}
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.ID)
	}
	return false, nearest.Question(id, ids), nil
}

// isClient returns an error for what may be mistyped: an id of which nothing is known here. The URL
// of a document is taken as it is, because it may be blocked before its client comes; note then says that nobody is reached.
func (s *stores) isClient(ctx context.Context, id string) (note string, err error) {
	known, meant, err := s.knowsClient(ctx, id)
	switch {
	case err != nil || known:
		return "", err
	case clientdoc.IsURL(id):
		return "nobody has connected it here, so nobody was reached; it is refused if it comes" + meant, nil
	}
	return "", noClient(id, meant)
}

// noClient is the error about an id of which nothing is known here.
func noClient(id, meant string) error {
	return fmt.Errorf("no client %q%s; see 'client list'; nothing was done", ui.Printable(id), meant)
}
