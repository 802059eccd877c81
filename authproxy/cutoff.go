package authproxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/people"
	"sfmcp-proxy/authproxy/ui"
)

// Cutoff takes access away, and gives it back: for the revocation endpoint, the
// account page, the console and the command line. It needs neither Salesforce nor the
// network.
//
// What takes access away happens first and is recorded afterwards; every step is tried
// even if one before failed or the caller has gone, and the errors are joined. If all is done
// and only not recorded, [audit.TookEffect] says so. What
// gives access (unblocking, loosening the stop) is recorded first. A running proxy on
// the same database follows through the access epoch; what the calling process itself
// holds in memory ends through Forget.
type Cutoff struct {
	// All but Forget and OtherLogs are required.
	Access    *access.Control
	Clients   *client.Store
	Grants    *grant.Store
	Links     *link.Store
	Approvals *approval.Store
	People    *people.Store
	Sessions  *ui.Sessions
	Tokens    *apitoken.Store
	Audit     *audit.Log
	// Forget drops what this process holds for a user, such as MCP sessions with
	// Salesforce; nil: nothing is held.
	Forget func(org, subject string)
	// OtherLogs: other processes on this database have audit logs of their own, which may say
	// something else, later.
	OtherLogs bool
}

// Act is who takes or gives access, and why, for the audit log.
type Act struct {
	By actor.Actor
	// Why is a few words, also kept with what ended: "left the company".
	Why string
}

// Ended is how much of what a user had was ended.
type Ended struct {
	Connections int
	Approvals   int // calls that waited, or were approved and not made yet
	Sessions    int // browsers that were signed in
}

// RevokeUser ends everything that the user has: connections, the login at Salesforce,
// approvals, browser sessions.
func (c *Cutoff) RevokeUser(ctx context.Context, org, subject string, act Act) (Ended, error) {
	return c.endUser(ctx, org, subject, audit.UserRevoke, act, c.Grants.RevokeUser)
}

// BlockUser does as RevokeUser and refuses the user until UnblockUser. The user need
// not have been seen before.
func (c *Cutoff) BlockUser(ctx context.Context, org, subject string, act Act) (Ended, error) {
	return c.endUser(ctx, org, subject, audit.UserBlock, act, c.Grants.BlockUser)
}

// endUser ends everything that the user has; of the connections endGrants does, and says how many these were.
func (c *Cutoff) endUser(ctx context.Context, org, subject string, action audit.Action, act Act, endGrants func(ctx context.Context, org, subject, why string) (int, error)) (ended Ended, err error) {
	err = take(ctx, func(ctx context.Context) error {
		n, err := endGrants(ctx, org, subject, act.Why)
		rest := c.userEnds(ctx, org, subject, act.Why, c.recordedVoid(act))
		ended = Ended{n, rest.approvals, rest.sessions}
		return c.record(ctx, audit.Entry{Actor: act.By, Action: action, Object: fmt.Sprintf("%d connections, %d approvals, %d sessions", n, rest.approvals, rest.sessions), Reason: act.Why,
			Org: org, Subject: subject, Username: usernameOf(ctx, c.Grants, org, subject)}, errors.Join(err, rest.failed()))
	})
	return ended, err
}

// endApprovals ends the calls that wait, or were approved and not made, with an entry of each, and says how many it
// ended. How many of one user there can be is bounded, see [approval.Config].
func (c *Cutoff) endApprovals(ctx context.Context, f approval.VoidFilter, act Act) (n int, err error) {
	ended, err := c.Approvals.Void(ctx, f, act.Why)
	for _, v := range ended {
		err = also(err, c.record(ctx, audit.Entry{Actor: act.By, Action: audit.ApprovalVoid, Object: v.ID, Approval: v.ID, Reason: act.Why,
			Org: v.Org, Subject: v.Subject, Username: usernameOf(ctx, c.Grants, v.Org, v.Subject), Client: v.ClientID, Grant: v.GrantID, Server: v.Server,
			Tool: v.Tool, Class: v.Class, ArgumentsDigest: v.ArgumentsDigest, DefinitionHash: v.DefinitionHash, PolicyVersion: v.PolicyVersion}, nil))
	}
	return len(ended), err
}

// UnblockUser lets the user connect again. What was revoked stays so.
// [grant.ErrNotFound] when the user is not blocked.
func (c *Cutoff) UnblockUser(ctx context.Context, org, subject string, act Act) error {
	blocked, err := c.Grants.Blocked(ctx, org, subject)
	if err != nil {
		return err
	}
	if !blocked {
		return grant.ErrNotFound
	}
	entry := audit.Entry{Actor: act.By, Action: audit.UserUnblock, Reason: act.Why,
		Org: org, Subject: subject, Username: usernameOf(ctx, c.Grants, org, subject)}
	return c.give(ctx, entry, func(ctx context.Context) error { return c.Grants.UnblockUser(ctx, org, subject) })
}

// RevokeGrant ends one connection. [grant.ErrNotFound] when it is unknown or over.
func (c *Cutoff) RevokeGrant(ctx context.Context, id string, act Act) (ended *grant.Grant, err error) {
	err = take(ctx, func(ctx context.Context) error {
		g, err := c.Grants.RevokeGrant(ctx, id, act.Why)
		if err != nil {
			return err
		}
		ended = g
		return c.grantEnded(ctx, g, audit.GrantRevoke, act)
	})
	return ended, err
}

// RevokeGrants ends those connections, each as [Cutoff.RevokeGrant] does, and says how many it
// ended. One that is over meanwhile is passed over. After one that ran out of time the others are not tried: each
// would take as long.
func (c *Cutoff) RevokeGrants(ctx context.Context, all []grant.Grant, act Act) (n int, failed error) {
	for i, g := range all {
		_, err := c.RevokeGrant(ctx, g.ID, act)
		switch {
		case errors.Is(err, grant.ErrNotFound):
			continue
		case audit.TookEffect(err):
			n++
		case errors.Is(err, context.DeadlineExceeded):
			return n, also(failed, fmt.Errorf("%d of %d connections were not tried: %w", len(all)-i-1, len(all), err))
		}
		failed = also(failed, err)
	}
	return n, failed
}

// EndSession signs a browser out of the company's sign-in; id is its [people.Person.ID]. Without
// such a session the error is [people.ErrNotFound].
func (c *Cutoff) EndSession(ctx context.Context, id string, act Act) error {
	return take(ctx, func(ctx context.Context) error {
		err := c.People.EndNamed(ctx, id)
		if errors.Is(err, people.ErrNotFound) {
			return err
		}
		return c.record(ctx, audit.Entry{Actor: act.By, Action: audit.SessionEnd, Object: id, Reason: act.Why}, err)
	})
}

// RevokeAPIToken ends a token for the security team's API. Without a good one of that id the
// error is [apitoken.ErrNotFound].
func (c *Cutoff) RevokeAPIToken(ctx context.Context, id string, act Act) (ended *apitoken.Token, err error) {
	err = take(ctx, func(ctx context.Context) error {
		t, err := c.Tokens.Revoke(ctx, id)
		if err != nil {
			return err
		}
		ended = t
		return c.record(ctx, audit.Entry{Actor: act.By, Action: audit.APITokenRevoke, Object: t.ID, Reason: act.Why}, nil)
	})
	return ended, err
}

// CreateAPIToken makes a token for the security team's API, which is recorded before; why may be empty. The
// secret is returned this once. Errors are those of [apitoken.Store.Create].
func (c *Cutoff) CreateAPIToken(ctx context.Context, w apitoken.Wanted, why string) (secret string, t *apitoken.Token, err error) {
	e := audit.Entry{Actor: w.By, Action: audit.APITokenCreate, Object: w.Name, Reason: fmt.Sprintf("role %s for %s, named %s", w.Role, days(w.Lifetime), w.Name)}
	if why != "" {
		e.Reason += ": " + why
	}
	err = Give(ctx, c.Audit, e, func(ctx context.Context) (audit.Result, error) {
		if secret, t, err = c.Tokens.Create(ctx, w); err != nil {
			return audit.Result{}, err
		}
		return audit.Result{Object: t.ID, Reason: e.Reason}, nil
	})
	return secret, t, err
}

// EndSurplus ends those of a user's connections that are more than [grant.MaxLive], the ones
// unused longest: programs that forget what they were given leave one behind each time.
func (c *Cutoff) EndSurplus(ctx context.Context, org, subject string) error {
	act := Act{By: actor.Proxy, Why: fmt.Sprintf("more than %d connections: the one unused longest", grant.MaxLive)}
	return take(ctx, func(ctx context.Context) error {
		ended, err := c.Grants.EndSurplus(ctx, org, subject, act.Why)
		for _, g := range ended {
			err = also(err, c.grantEnded(ctx, &g, audit.GrantRevoke, act))
		}
		return err
	})
}

// Disconnect ends a connection of that user. Another user's is [grant.ErrNotFound], as
// one that does not exist.
func (c *Cutoff) Disconnect(ctx context.Context, org, subject, id string) (*grant.Grant, error) {
	g, err := c.Grants.Grant(ctx, id)
	if err != nil {
		return nil, err
	}
	if g.Org != org || g.Subject != subject {
		return nil, grant.ErrNotFound
	}
	return c.RevokeGrant(ctx, id, Act{By: actor.User(subject), Why: "disconnected by the user"})
}

// RevokeToken revokes at a client's wish (RFC 7009); what there is nothing to do about
// is no error.
func (c *Cutoff) RevokeToken(ctx context.Context, token, clientID string) error {
	return take(ctx, func(ctx context.Context) error {
		g, err := c.Grants.RevokeToken(ctx, token, clientID)
		if err != nil || g == nil {
			return err
		}
		act := Act{By: actor.Client(clientID), Why: "revoked by the client"}
		if g.RevokedAt.IsZero() { // an access token, the connection goes on
			return c.record(ctx, grantEntry(g, audit.TokenRevoke, act), nil)
		}
		return c.grantEnded(ctx, g, audit.GrantRevoke, act)
	})
}

// endReplayed ends what hangs on a connection that ended because a token of it was presented again.
func (c *Cutoff) endReplayed(ctx context.Context, g *grant.Grant, act Act) error {
	return take(ctx, func(ctx context.Context) error { return c.grantEnded(ctx, g, audit.GrantReplay, act) })
}

// grantEnded ends what hangs on a revoked grant: approvals asked for through it, and
// the login at Salesforce if it was the user's last.
func (c *Cutoff) grantEnded(ctx context.Context, g *grant.Grant, action audit.Action, act Act) error {
	_, err := c.endApprovals(ctx, approval.VoidFilter{GrantID: g.ID}, act)
	c.forget(g.Org, g.Subject)
	err = errors.Join(err, c.endUnusedLink(ctx, g.Org, g.Subject, act.Why))
	return c.record(ctx, grantEntry(g, action, act), err)
}

// endUnusedLink revokes the login of a user who has no live grant: a refresh token that
// serves nobody is a risk only.
func (c *Cutoff) endUnusedLink(ctx context.Context, org, subject, why string) error {
	return c.Links.EndUnused(ctx, org, subject, why, link.Unneeded{})
}

// unusedFor is how old a login without a grant must be: one that is younger may be on
// its way from Salesforce to its grant.
const unusedFor = 10 * time.Minute

// Sweep ends the logins of users whose last connection ran out by time: what
// grantEnded does for those that somebody ended. Call it once a minute, after the
// grants' own sweep.
func (c *Cutoff) Sweep(ctx context.Context, now time.Time) error {
	by := now.Add(-unusedFor)
	unused, err := c.Links.Unused(ctx, by, now)
	if err != nil {
		return err
	}
	for _, l := range unused { // a connection or a login that was made meanwhile is seen for each
		err = errors.Join(err, c.Links.EndUnused(ctx, l.Org, l.Subject, "the last connection ran out", link.Unneeded{By: by}))
	}
	return err
}

func grantEntry(g *grant.Grant, action audit.Action, act Act) audit.Entry {
	return audit.Entry{Actor: act.By, Action: action, Reason: act.Why, Org: g.Org, Subject: g.Subject, Username: g.Username,
		Client: g.ClientID, Grant: g.ID, Server: g.Server}
}

func (c *Cutoff) forget(org, subject string) {
	if c.Forget != nil {
		c.Forget(org, subject)
	}
}
