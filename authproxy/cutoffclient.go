package authproxy

import (
	"context"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
)

// RevokeClient ends all connections of a client and returns them. What is stored of it is
// forgotten first, so that a registration that is gone begins no new ones meanwhile; a
// client that is configured may ask for new ones.
func (c *Cutoff) RevokeClient(ctx context.Context, clientID string, act Act) (ended []grant.Grant, err error) {
	err = take(ctx, func(ctx context.Context) error {
		ended, _, err = c.clientEnded(ctx, clientID, audit.ClientRevoke, act, c.Clients.Forget(ctx, clientID))
		return err
	})
	return ended, err
}

// BlockClient does as RevokeClient and refuses the client until UnblockClient, also one that is
// configured or publishes a document. It need not be known. A program that registers itself can
// come again under another id. approvals is how many calls of it waited.
func (c *Cutoff) BlockClient(ctx context.Context, clientID string, act Act) (ended []grant.Grant, approvals int, err error) {
	err = take(ctx, func(ctx context.Context) error {
		err := errors.Join(c.Clients.Block(ctx, clientID), c.Clients.Forget(ctx, clientID))
		ended, approvals, err = c.clientEnded(ctx, clientID, audit.ClientBlock, act, err)
		return err
	})
	return ended, approvals, err
}

// UnblockClient lets people connect the client again. What was revoked stays so.
// [client.ErrNotBlocked] when it is not blocked.
func (c *Cutoff) UnblockClient(ctx context.Context, clientID string, act Act) error {
	blocked, err := c.Clients.Blocked(ctx)
	if err != nil {
		return err
	}
	if !blocked[clientID] {
		return client.ErrNotBlocked
	}
	return c.give(ctx, audit.Entry{Actor: act.By, Action: audit.ClientUnblock, Reason: act.Why, Client: clientID},
		func(ctx context.Context) error { return c.Clients.Unblock(ctx, clientID) })
}

// clientEnded ends what a client has, after it was forgotten or blocked, which may have failed.
func (c *Cutoff) clientEnded(ctx context.Context, clientID string, action audit.Action, act Act, failed error) (ended []grant.Grant, approvals int, err error) {
	ended, err = c.Grants.RevokeClient(ctx, clientID, act.Why)
	approvals, err = c.connectionsEnded(ctx, ended, clientID, action, act, errors.Join(err, failed))
	return ended, approvals, err
}

// connectionsEnded ends what hangs on the connections of a client, which have ended, perhaps not all.
func (c *Cutoff) connectionsEnded(ctx context.Context, ended []grant.Grant, clientID string, action audit.Action, act Act, err error) (approvals int, _ error) {
	approvals, voidErr := c.endApprovals(ctx, approval.VoidFilter{ClientID: clientID}, act)
	err = also(err, voidErr)
	for _, g := range ended {
		c.forget(g.Org, g.Subject)
		linkErr := c.endUnusedLink(ctx, g.Org, g.Subject, act.Why)
		err = also(err, c.record(ctx, grantEntry(&g, audit.GrantRevoke, act), linkErr)) // in the log of each person
	}
	return approvals, c.record(ctx, audit.Entry{Actor: act.By, Action: action, Object: fmt.Sprintf("%d connections, %d approvals", len(ended), approvals),
		Reason: act.Why, Client: clientID}, err)
}
