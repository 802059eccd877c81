package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
)

// operator is who the audit log names for what the command line does.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "operator:" + u.Username
	}
	return "operator"
}

func (a *app) act(why string) authproxy.Act { return authproxy.Act{By: operator(), Why: why} }

func (a *app) revokeUser(ctx context.Context, u grant.User) (int, error) {
	return a.cutoff.RevokeUser(ctx, u.Org, u.Subject, a.act("revoked by the security team"))
}

func (a *app) blockUser(ctx context.Context, u grant.User) (int, error) {
	return a.cutoff.BlockUser(ctx, u.Org, u.Subject, a.act("blocked by the security team"))
}

func (a *app) unblockUser(ctx context.Context, u grant.User) (int, error) {
	err := a.cutoff.UnblockUser(ctx, u.Org, u.Subject, a.act("unblocked"))
	if errors.Is(err, grant.ErrNotFound) {
		err = fmt.Errorf("%s is not blocked in org %s", personOf(u), u.Org)
	}
	return 0, err
}

func (a *app) revokeGrant(ctx context.Context, id string) error {
	_, err := a.cutoff.RevokeGrant(ctx, id, a.act("revoked by the security team"))
	return err
}

func (a *app) revokeClient(ctx context.Context, id string) (int, error) {
	ended, err := a.cutoff.RevokeClient(ctx, id, a.act("client revoked by the security team"))
	return len(ended), err
}

func (a *app) stop(ctx context.Context, mode grant.Stop) error {
	return a.cutoff.Stop(ctx, mode, a.act("kill switch"))
}

// login is a user's Salesforce login as the security team needs it: if it fails, why,
// and which setting of Salesforce or of the configuration to look at.
type login struct {
	State string // active, needs_reauth, revoked; empty: none yet
	Since moment // of a state that is not active
	Why   string // empty: the last refresh was answered well
	Class string // what can be done: see salesforce.Kind; lost: the answer was
	Fix   string
}

func (a *app) login(ctx context.Context, org, subject string) (login, error) {
	s, err := a.links.Status(ctx, org, subject)
	l := login{State: string(s.State), Why: s.Why}
	if s.State != link.Active {
		l.Since = moment{s.RefreshedAt}
	}
	if f := s.Failure; f.Kind != "" {
		l.Why, l.Class, l.Fix = f.Reason(), string(f.Kind), f.Hint
		if f.Lost {
			l.Class = "lost"
		}
	}
	return l, err
}
