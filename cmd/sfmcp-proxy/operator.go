package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/access"
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

func (s *stores) act(why string) authproxy.Act { return authproxy.Act{By: operator(), Why: why} }

func (s *stores) revokeUser(ctx context.Context, u grant.User) (int, error) {
	return s.newCutoff(nil).RevokeUser(ctx, u.Org, u.Subject, s.act("revoked by the security team"))
}

func (s *stores) blockUser(ctx context.Context, u grant.User) (int, error) {
	return s.newCutoff(nil).BlockUser(ctx, u.Org, u.Subject, s.act("blocked by the security team"))
}

func (s *stores) unblockUser(ctx context.Context, u grant.User) (int, error) {
	err := s.newCutoff(nil).UnblockUser(ctx, u.Org, u.Subject, s.act("unblocked"))
	if errors.Is(err, grant.ErrNotFound) {
		err = fmt.Errorf("%s is not blocked in org %s", personOf(u), u.Org)
	}
	return 0, err
}

func (s *stores) revokeGrant(ctx context.Context, id string) error {
	_, err := s.newCutoff(nil).RevokeGrant(ctx, id, s.act("revoked by the security team"))
	return err
}

func (s *stores) revokeClient(ctx context.Context, id string) (int, error) {
	ended, err := s.newCutoff(nil).RevokeClient(ctx, id, s.act("client revoked by the security team"))
	return len(ended), err
}

func (s *stores) stop(ctx context.Context, mode access.Stop) error {
	return s.newCutoff(nil).Stop(ctx, mode, s.act("kill switch"))
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

func (s *stores) login(ctx context.Context, org, subject string) (login, error) {
	status, err := s.links.Status(ctx, org, subject)
	l := login{State: string(status.State), Why: status.Why}
	if status.State != link.Active {
		l.Since = moment{status.RefreshedAt}
	}
	if f := status.Failure; f.Kind != "" {
		l.Why, l.Class, l.Fix = f.Reason(), string(f.Kind), f.Hint
		if f.Lost {
			l.Class = "lost"
		}
	}
	return l, err
}
