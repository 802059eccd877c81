package authproxy

import (
	"context"
	"errors"
	"time"

	"sfmcp-proxy/authproxy/approval"
)

// userEnded is what has ended with a user besides their connections, and of each part why it may not have.
type userEnded struct {
	approvals, sessions                 int
	approvalsErr, sessionsErr, loginErr error
}

// failed is what failed of any part.
func (e userEnded) failed() error { return errors.Join(e.approvalsErr, e.sessionsErr, e.loginErr) }

// userEnds ends what a user has besides their connections: approvals, browser sessions, those of the person of the
// company who is the same human, and the login at Salesforce. Whoever revokes, blocks, contains or erases somebody ends all
// of it here, and so does [Cutoff.Reapply]. void ends the approvals.
func (c *Cutoff) userEnds(ctx context.Context, org, subject, why string, void func(context.Context, approval.VoidFilter) (int, error)) (e userEnded) {
	e.approvals, e.approvalsErr = void(ctx, approval.VoidFilter{Org: org, Subject: subject})
	e.sessions, e.sessionsErr = c.signedOut(ctx, org, subject, time.Time{})
	e.loginErr = c.Links.Revoke(ctx, org, subject, why)
	c.forget(org, subject)
	return e
}

// recordedVoid ends approvals with an entry of each.
func (c *Cutoff) recordedVoid(act Act) func(context.Context, approval.VoidFilter) (int, error) {
	return func(ctx context.Context, f approval.VoidFilter) (int, error) { return c.endApprovals(ctx, f, act) }
}

// signedOut signs a user out of the browsers that they have signed in with before then, by Salesforce or as the
// person of the company who is the same human, and says how many these were; the zero time: of all.
func (c *Cutoff) signedOut(ctx context.Context, org, subject string, before time.Time) (int, error) {
	asUser, err := c.Sessions.EndBegunBefore(ctx, org, subject, before)
	asPerson, personErr := c.People.EndLinked(ctx, org, subject, before)
	return asUser + asPerson, errors.Join(err, personErr)
}
