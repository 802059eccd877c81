package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/grant"
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

func (a *app) linkState(ctx context.Context, org, subject string) (string, error) {
	s, err := a.links.Status(ctx, org, subject)
	return string(s.State), err
}
